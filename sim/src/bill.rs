//! What a run used, what a plan allows, and what it would cost.
//!
//! - [`usage`]: counters per UTC day, the platform's hot path; depends on nothing.
//! - [`prices`]: the dated table of allowances and prices; data only.
//! - [`plan`]: reads both, and says which share of the free day was used, which allowance would end first, and the
//!   dollars of a month on the paid plan.
//!
//! The bill is an estimate from public price pages. It knows neither taxes nor contracts, and nothing that the
//! simulator does not simulate (R2, Queues, logs, WebSocket messages).

pub mod plan;
pub mod prices;
pub mod usage;

pub use plan::{
    BudgetRow, Cost, FirstToEnd, NanoDollars, Rounding, budget, cost_if_it_went_on, cost_of_month,
    first_to_end,
};
pub use usage::{Meter, Usage, UtcDay};
