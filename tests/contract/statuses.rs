//! Section 9: what is checked first, where a request has more than one fault.

use crate::burst::Burst;
use crate::limits::policy;
use crate::person::Person;
use crate::server::Server;
use support::client::TEA;

fn s9_the_first_fault_in_the_fixed_order_is_answered(server: &Server) {
    let (user, stranger) = (Person::user("order"), Person::stranger());
    let large = vec![b'{'; 70_000];
    for (what, status, asked) in [
        (
            "preflight, before a wrong token",
            204,
            server
                .ask("OPTIONS", "/api/admin/metrics")
                .by(&user.with_token("x")),
        ),
        (
            "preflight, before an unknown path",
            204,
            server.ask("OPTIONS", "/api/nothing"),
        ),
        (
            "health, before a wrong token",
            200,
            server.get("/api/health").by(&user.with_token("x")),
        ),
        (
            "the path, before the token",
            404,
            server.get("/api/nothing").by(&stranger),
        ),
        (
            "the path, before the method",
            404,
            server.ask("DELETE", "/api/nothing").by(&user),
        ),
        (
            "the path, before the body",
            404,
            server.post("/api/nothing").by(&user).bytes(large.clone()),
        ),
        (
            "the method, before the body",
            405,
            server
                .ask("PUT", "/api/transactions")
                .by(&user)
                .bytes(large.clone()),
        ),
        (
            "the method, before the token",
            405,
            server.ask("PUT", "/api/transactions").by(&stranger),
        ),
        (
            "the token, before the media type",
            401,
            server.post("/api/transactions").by(&stranger).bytes(TEA),
        ),
        (
            "the token, before the size",
            401,
            server
                .post("/api/transactions")
                .by(&stranger)
                .text(large.clone()),
        ),
        (
            "the role, before parameters",
            403,
            server.get("/api/admin/audit-logs?limit=0").by(&user),
        ),
        (
            "the media type, before the size",
            415,
            server
                .post("/api/transactions")
                .by(&user)
                .bytes(large.clone()),
        ),
        (
            "the size, before JSON",
            413,
            server
                .post("/api/transactions")
                .by(&user)
                .text(large.clone()),
        ),
        (
            "JSON, before the schema",
            400,
            server
                .post("/api/transactions")
                .by(&user)
                .text("{\"type\":1"),
        ),
        (
            "the schema",
            422,
            server
                .post("/api/transactions")
                .by(&user)
                .text("{\"type\":1}"),
        ),
        (
            "the media type of a login",
            415,
            server
                .post("/api/auth/login")
                .by(&Person::stranger())
                .bytes(large.clone()),
        ),
        (
            "the size of a login",
            413,
            server
                .post("/api/auth/login")
                .by(&Person::stranger())
                .text(large.clone()),
        ),
    ] {
        assert_eq!(asked.send().status, status, "{what}");
    }
}

fn s9_a_used_up_quota_is_told_before_all_that_comes_after_it(server: &Server) {
    let user = Person::user("order");
    let write = || server.post("/api/transactions").by(&user);
    let (general, writes) = (
        policy(&server.get("/api/nothing").by(&user).send()).quota,
        policy(&write().send()).quota,
    );
    let spent = Burst::send(server, general + writes - 2, 32, |number| {
        if number < general - 1 {
            server.get("/api/nothing").by(&user)
        } else {
            write()
        }
    });
    assert!(spent.with(429).is_empty(), "{:?}", spent.statuses());
    let large = vec![b'{'; 70_000];
    for (what, asked) in [
        ("the path", server.get("/api/nothing").by(&user)),
        ("the method", server.ask("PUT", "/api/reports").by(&user)),
        ("the role", server.get("/api/admin/metrics").by(&user)),
        ("the media type", write().bytes(TEA)),
        ("the size", write().text(large.clone())),
        ("JSON", write().text("{")),
        ("the schema", write().text("{}")),
        ("a right transaction", write().text(TEA)),
        ("a read", server.get("/api/dashboard").by(&user)),
    ] {
        assert_eq!(asked.send().status, 429, "{what}");
    }
    assert_eq!(
        server
            .ask("OPTIONS", "/api/reports")
            .by(&user)
            .send()
            .status,
        204
    );
    assert_eq!(server.get("/api/health").by(&user).send().status, 200);
}

on_every_arm!(
    s9_a_used_up_quota_is_told_before_all_that_comes_after_it,
    s9_the_first_fault_in_the_fixed_order_is_answered,
);
