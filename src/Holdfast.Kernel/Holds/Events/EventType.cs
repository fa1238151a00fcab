namespace Holdfast.Kernel;

/// <summary>The kinds of events, as their first byte in the journal. Numbers are never reused.</summary>
public enum EventType : byte
{
    /// <summary>Not an event.</summary>
    None = 0,

    /// <summary>A resource was created or its policy replaced.</summary>
    ResourcePut = 1,

    /// <summary>A resource's supply changed.</summary>
    SupplyAdjusted = 2,

    /// <summary>A hold was made.</summary>
    Held = 3,

    /// <summary>A hold was consumed, wholly or in part.</summary>
    Confirmed = 4,

    /// <summary>A hold was released by a cancel.</summary>
    Cancelled = 5,

    /// <summary>An unknown id was cancelled: a try with it will be refused.</summary>
    CancelledEmpty = 6,

    /// <summary>A hold got a new deadline.</summary>
    Extended = 7,

    /// <summary>Consumed units came back.</summary>
    Returned = 8,

    /// <summary>A hold was released because its deadline passed.</summary>
    Expired = 9,

    /// <summary>The oldest finished ids left memory.</summary>
    HoldsForgotten = 10,

    /// <summary>The oldest adjustment ids left memory.</summary>
    AdjustmentsForgotten = 11,

    /// <summary>A transaction began, with its branches.</summary>
    TransactionBegun = 32,

    /// <summary>A branch was registered by the caller.</summary>
    BranchRegistered = 33,

    /// <summary>A branch's call was answered, or wasn't in time; for a built-in hold: was decided.</summary>
    CallAnswered = 34,

    /// <summary>A transaction will commit, or abort.</summary>
    TransactionDecided = 35,

    /// <summary>All branches of a transaction are confirmed, or cancelled.</summary>
    TransactionEnded = 36,

    /// <summary>An operator has a call made again now.</summary>
    CallRetried = 37,

    /// <summary>An operator took a branch as done.</summary>
    CallForced = 38,

    /// <summary>Transactions that ended longest ago left memory.</summary>
    TransactionsForgotten = 39,

    /// <summary>A transaction of built-in holds alone was tried, decided and ended in its one command.</summary>
    TransactionCompleted = 40,

    /// <summary>A checkout began; its hold is an event of its own.</summary>
    CheckoutBegun = 48,

    /// <summary>A checkout's order is being closed at the provider.</summary>
    CheckoutClosing = 49,

    /// <summary>A checkout ended unpaid.</summary>
    CheckoutEnded = 50,

    /// <summary>A verified callback was taken, as it came.</summary>
    NoticeKept = 51,

    /// <summary>A payment was learnt of, and what becomes of it.</summary>
    PaymentTaken = 52,

    /// <summary>A payment is disputed.</summary>
    PaymentDisputed = 53,

    /// <summary>Money is to go back.</summary>
    RefundBegun = 54,

    /// <summary>Money went back, or the provider refused.</summary>
    RefundEnded = 55,

    /// <summary>A provider answered a call, or didn't in time.</summary>
    PaymentCallAnswered = 56,

    /// <summary>An operator has a call made again now.</summary>
    PaymentCallRetried = 57,

    /// <summary>A payment that belongs to no checkout was kept.</summary>
    SuspenseKept = 58,

    /// <summary>An operator decided what is conflicted or in suspense.</summary>
    CheckoutResolved = 59,

    /// <summary>A finished checkout left memory.</summary>
    CheckoutForgotten = 60,
}
