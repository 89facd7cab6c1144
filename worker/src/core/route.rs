//! The paths of the API, matched by hand: a table of eleven entries needs no router, and building one costs more than a match.

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `/api/health`
    Health,
    /// `/api/auth/login`
    Login,
    /// `/api/transactions`
    Transactions,
    /// `/api/transactions/{id}`, where `Location` points.
    Transaction(u64),
    /// `/api/dashboard`
    Dashboard,
    /// `/api/reports`
    Reports,
    /// `/api/admin/audit-logs`
    AuditLogs,
    /// `/api/admin/error-logs`
    ErrorLogs,
    /// `/api/admin/alerts/test`
    AlertTest,
    /// `/api/admin/metrics`
    Metrics,
}

/// The methods that some route serves; all others are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// GET
    Get,
    /// POST
    Post,
    /// OPTIONS: a preflight.
    Options,
    /// Any other.
    Other,
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever has a valid token.
    User,
    /// Whoever has a valid token with the role `admin`.
    Admin,
}

impl Route {
    /// The route of a path, compared byte for byte: another case, a doubled or a trailing slash is another path.
    pub fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/api/health" => Self::Health,
            "/api/auth/login" => Self::Login,
            "/api/transactions" => Self::Transactions,
            "/api/dashboard" => Self::Dashboard,
            "/api/reports" => Self::Reports,
            "/api/admin/audit-logs" => Self::AuditLogs,
            "/api/admin/error-logs" => Self::ErrorLogs,
            "/api/admin/alerts/test" => Self::AlertTest,
            "/api/admin/metrics" => Self::Metrics,
            _ => {
                let id = path.strip_prefix("/api/transactions/")?;
                // Ids go through JavaScript numbers, which are whole up to 2^53; a leading zero would be a second name.
                let id = crate::core::decimal::parse(id)
                    .filter(|value| *value < 1 << 53 && !id.starts_with('0'))?;
                Self::Transaction(id)
            }
        })
    }

    /// Value of `Allow`, and of `Access-Control-Allow-Methods`.
    pub fn allow(self) -> &'static str {
        match self {
            Self::Login | Self::AlertTest => "POST, OPTIONS",
            Self::Transactions => "GET, POST, OPTIONS",
            _ => "GET, OPTIONS",
        }
    }

    /// Whether the route serves the method.
    pub fn serves(self, verb: Verb) -> bool {
        match self {
            Self::Login | Self::AlertTest => verb == Verb::Post,
            Self::Transactions => matches!(verb, Verb::Get | Verb::Post),
            _ => verb == Verb::Get,
        }
    }

    /// Who may use the route.
    pub fn access(self) -> Access {
        match self {
            Self::Health | Self::Login => Access::Public,
            Self::Transactions | Self::Transaction(_) | Self::Dashboard | Self::Reports => {
                Access::User
            }
            Self::AuditLogs | Self::ErrorLogs | Self::AlertTest | Self::Metrics => Access::Admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Route, Verb};

    #[test]
    fn only_the_exact_path_is_known() {
        assert_eq!(Route::of("/api/transactions"), Some(Route::Transactions));
        assert_eq!(
            Route::of("/api/transactions/17"),
            Some(Route::Transaction(17))
        );
        for unknown in [
            "",
            "/",
            "/api",
            "/api/",
            "/api/health/",
            "/API/health",
            "//api/health",
            "/api/transactions/",
            "/api/transactions/0",
            "/api/transactions/017",
            "/api/transactions/-1",
            "/api/transactions/1/2",
            "/api/transactions/99999999999999999999",
            "/api/transactions/9007199254740992",
            "/api/admin",
            "/api/%68ealth",
        ] {
            assert_eq!(Route::of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn allow_says_what_is_served() {
        for path in [
            "/api/health",
            "/api/auth/login",
            "/api/transactions",
            "/api/transactions/1",
            "/api/dashboard",
            "/api/reports",
            "/api/admin/audit-logs",
            "/api/admin/error-logs",
            "/api/admin/alerts/test",
            "/api/admin/metrics",
        ] {
            let route = Route::of(path).unwrap();
            assert_eq!(
                route.allow().contains("GET"),
                route.serves(Verb::Get),
                "{path}"
            );
            assert_eq!(
                route.allow().contains("POST"),
                route.serves(Verb::Post),
                "{path}"
            );
            assert!(!route.serves(Verb::Other), "{path}");
            assert_eq!(
                path.contains("/admin/"),
                route.access() == Access::Admin,
                "{path}"
            );
        }
    }
}
