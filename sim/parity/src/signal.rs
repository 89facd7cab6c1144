//! `signal`.

both! {
    const _: [fn() -> bool; 2] = [worker::signal::is_registered, worker::signal::is_near_cpu_limit];
}
