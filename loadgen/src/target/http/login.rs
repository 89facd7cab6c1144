//! The login before a burst, as the contract defines it.

use bytes::Bytes;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{Request, Uri};
use http_body_util::Full;

use super::exchange::answer;
use super::server::Server;
use crate::contract::Contract;
use crate::secret::Secret;

/// Fetches a token. The error says why there is none, without any part of the request.
pub(super) async fn log_in(
    server: &Server,
    contract: &dyn Contract,
    user: &str,
    password: &Secret,
) -> Result<Secret, String> {
    let Some(template) = contract.login(user, password) else {
        return Err("login: the contract knows no login".into());
    };
    let uri: Uri = template
        .path_and_query
        .parse()
        .map_err(|_| "login: the contract's path cannot be sent".to_owned())?;
    let mut request = Request::new(Full::<Bytes>::new(template.body));
    *request.method_mut() = template.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = template.headers;
    let headers = request.headers_mut();
    headers.insert(HOST, server.authority.clone());
    headers.insert(USER_AGENT, HeaderValue::from_static(crate::USER_AGENT));
    let answer = async {
        let mut connection = server.connect().await?;
        let sent = connection.try_send_request(request);
        answer(server.timeout, sent)
            .await
            .map_err(|failed| failed.error)
    };
    let answer = answer.await.map_err(|error| format!("login: {error}"))?;
    if !(200..300).contains(&answer.status) {
        // The body is not shown: it may repeat what was sent.
        return Err(format!("login: the server answered {}", answer.status));
    }
    contract
        .token(&answer)
        .ok_or_else(|| "login: the answer holds no token".to_owned())
}
