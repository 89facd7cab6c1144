//! The users of the reference traffic in a world: their rows, tokens and addresses, and what their requests say.

use edgeproof_cli::traffic::{Planned, Sender, Senders};
use edgeproof_sim::bill::usage::UtcDay;
use edgeproof_sim::http::Request;
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::topology::Pop;
use edgeproof_sim::world::client::Client;
use edgeproof_sim::{Builder, World};
use edgeproof_worker::core::jwt::Key;
use edgeproof_worker::core::password;
use serde_json::json;

use super::{Kind, USERS};

/// Signs tokens that are good in this world and nowhere else.
const SECRET: &str = "of a forecast's own world, good for no other Worker";

/// Longer than any forecast, in seconds: tokens do not expire within it.
const TOKEN_SECONDS: u64 = 10 * 365 * 24 * 3_600;

/// What stored passwords are hashed with. CPU time is not simulated, so nothing but the wait for the forecast depends on it.
const HASH_ITERATIONS: u32 = 1;

/// Where alerts go: a simulated host that takes them.
const ALERTS: &str = "alerts.example";

/// Gives a world the users, the secrets and a receiver of alerts.
pub(super) fn furnish(builder: Builder) -> Builder {
    let webhook = format!("https://{ALERTS}/");
    builder
        .secret(crate::JWT_SECRET, SECRET)
        .secret("ERROR_ALERT_WEBHOOK", &webhook)
        .secret("SECURITY_ALERT_WEBHOOK", &webhook)
        .origin(ALERTS, Origin::new())
        .seed_sql("DB", "the users of the forecast", &users_sql())
}

/// The users as rows of the database.
fn users_sql() -> String {
    let rows = (0..USERS).map(|user| {
        let name = user_name(user);
        let salt = format!("the salt of {name}");
        let hash = password::hash(&password_of(user), salt.as_bytes(), HASH_ITERATIONS);
        format!("('{name}', '{name}', '{hash}', 'user')")
    });
    let rows: Vec<String> = rows.collect();
    format!(
        "INSERT INTO users (id, username, password_hash, role) VALUES {}",
        rows.join(", ")
    )
}

fn user_name(user: usize) -> String {
    format!("user-{user}")
}

fn password_of(user: usize) -> String {
    format!("the password of {user}")
}

/// Everybody who sends, with token and address.
pub(super) struct Users {
    world: World,
    tokens: Vec<String>,
    forged: String,
    addresses: Vec<String>,
}

impl Users {
    pub(super) fn new(world: &World) -> Self {
        let now = world.now().unix_seconds();
        let key = Key::new(SECRET);
        let somebody_else = Key::new("of somebody else, who would like to be a user here");
        let address = || world.client_at(world.pops()[0]).ip().to_owned();
        Self {
            world: world.clone(),
            tokens: (0..USERS)
                .map(|user| key.mint(&user_name(user), "user", now, TOKEN_SECONDS))
                .collect(),
            forged: somebody_else.mint(&user_name(0), "admin", now, TOKEN_SECONDS),
            addresses: (0..USERS).map(|_| address()).collect(),
        }
    }

    /// A client at `pop` with this address.
    fn client(&self, pop: Pop, address: &str) -> Client {
        self.world.client_at(pop).with_ip(address)
    }
}

impl Senders for Users {
    fn request(&self, planned: &Planned, date: UtcDay) -> (Client, Request) {
        let (user, client) = match planned.sender {
            Sender::User(user) => (user, self.client(planned.pop, &self.addresses[user])),
            Sender::Attacker { number, victim } => {
                // From the networks for documentation (RFC 5737), in which no user is.
                let network = ["203.0.113", "198.51.100"][number / 254 % 2];
                let address = format!("{network}.{}", number % 254 + 1);
                (victim, self.client(planned.pop, &address))
            }
        };
        let token = &self.tokens[user];
        let login = |password: &str| {
            let body = json!({"username": user_name(user), "password": password});
            client.post("/api/auth/login").json(&body)
        };
        let transactions = "/api/transactions";
        let request = match Kind::at(planned.kind) {
            Kind::Dashboard => client.get("/api/dashboard").bearer(token),
            Kind::Reports => client.get("/api/reports").bearer(token),
            Kind::List => client.get(transactions).bearer(token),
            Kind::Create => client
                .post(transactions)
                .bearer(token)
                .json(&transaction(planned.draw, date)),
            Kind::Login => login(&password_of(user)),
            Kind::Guess => login(&format!("guess {:08x}", planned.draw as u32)),
            Kind::NoToken => client.get("/api/dashboard"),
            Kind::ForgedToken => client.get("/api/dashboard").bearer(&self.forged),
            Kind::UnknownPath => client.get("/api/accounts").bearer(token),
            Kind::BrokenBody => client
                .post(transactions)
                .bearer(token)
                .json(&json!({"test": "data"})),
            Kind::WrongMediaType => client
                .post(transactions)
                .bearer(token)
                .header("content-type", "text/plain")
                .body(transaction(planned.draw, date).to_string()),
        };
        (client, request.build())
    }
}

/// A transaction that keeps every rule: a third is income; most are of the day itself, one in ten of the thirty days before.
fn transaction(draw: u64, date: UtcDay) -> serde_json::Value {
    let descriptions = [
        "groceries",
        "rent",
        "a train ticket",
        "lunch",
        "tea for two",
        "a book",
    ];
    let part = |shift: u32, below: u64| (draw >> shift) % below;
    let days_ago = if part(0, 10) == 0 {
        part(8, 31) as u32
    } else {
        0
    };
    let cents = 1 + part(16, 25_000);
    json!({
        "type": if part(4, 3) == 0 { "income" } else { "expense" },
        "amount": cents as f64 / 100.0,
        "description": descriptions[part(40, descriptions.len() as u64) as usize],
        "date": UtcDay(date.0 - days_ago).to_string(),
    })
}
