//! The program `loadgen` as its users run it. One binary, because each one links the whole simulator.

mod cli;
mod http;
mod moved;
mod served;
mod stub;
