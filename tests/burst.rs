//! The burst: 150 requests at the production Worker.

mod support;

use support::{count, post, production};

#[test]
fn of_150_sequential_posts_exactly_50_are_admitted() {
    let world = production(&["MEX"]).build().expect("builds");
    let answers = world.run(async |world| {
        let client = world.client("MEX");
        let mut answers = Vec::new();
        for _ in 0..150 {
            answers.push(client.send(post(&client, "user-1")).await);
        }
        answers
    });
    for a in answers.iter().take(2) { println!("{} {:?} {}", a.status, a.headers, String::from_utf8_lossy(&a.body)); }
    println!("{} {:?} {}", answers[60].status, answers[60].headers, String::from_utf8_lossy(&answers[60].body));
    println!("{:?}", world.elapsed());
    assert_eq!((count(&answers, 201), count(&answers, 429)), (50, 100));
}
