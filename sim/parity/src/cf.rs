//! `Cf`.

both! {
    use worker::Cf;

    const _: fn(&Cf) -> String = Cf::colo;
    const _: fn(&Cf) -> String = Cf::http_protocol;
    const _: fn(&Cf) -> Option<String> = Cf::city;
    const _: fn(&Cf) -> Option<String> = Cf::verified_bot_category;

    fn priority(cf: &Cf) -> Option<(usize, bool, usize, usize)> {
        let priority = cf.request_priority()?;
        let copy = priority;
        Some((copy.weight, copy.exclusive, priority.group, priority.group_weight))
    }

    fn traits() {
        clone::<Cf>();
        debug::<Cf>();
        send_sync::<Cf>();
    }
}
