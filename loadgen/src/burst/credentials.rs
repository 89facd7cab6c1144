//! Where a burst's credential comes from.

use crate::args::BurstArgs;
use crate::curl::{Bearer, Command};
use crate::plan::Auth;
use crate::program::{Trouble, usage};
use crate::secret::Secret;

/// How requests authenticate in the simulator, which signs its own tokens.
pub(super) fn embedded_auth(
    command: Option<&Command>,
    needs_token: bool,
    notes: &mut Vec<String>,
) -> Auth {
    match command.map(|command| command.bearer) {
        None if !needs_token => Auth::None,
        None => Auth::PerUser,
        Some(Bearer::Placeholder) => {
            notes.push("the placeholder token was replaced by a valid token of user 1 (of each user, with --users)".into());
            Auth::PerUser
        }
        Some(Bearer::Absent) => Auth::None,
        Some(Bearer::Given) => {
            notes.push(
                "the command's own credential was sent; the embedded Worker has a secret of its own and charges an \
                 unknown token to the address (write `Bearer YOUR_TOKEN` for a valid one)"
                    .into(),
            );
            Auth::None
        }
    }
}

/// How requests authenticate, the user and password to log in with, and a token that is known already.
pub(super) type Credentials = (Auth, Option<(String, Secret)>, Option<Secret>);

/// The credential for a server: from `--login`, from `--token-env`, or from the curl command.
pub(super) fn credentials(
    args: &BurstArgs,
    command: Option<&Command>,
    needs_token: bool,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Credentials, Trouble> {
    let offered = args.login.is_some() || args.token_env.is_some();
    match command.map(|command| command.bearer) {
        Some(Bearer::Given) if offered => {
            return Err(usage(
                "the curl command has a credential already: drop it, or --login and --token-env",
            ));
        }
        Some(Bearer::Given) => return Ok((Auth::Given, None, None)),
        Some(Bearer::Absent) if !offered => return Ok((Auth::None, None, None)),
        Some(Bearer::Placeholder) if !offered => {
            return Err(usage(
                "`Bearer YOUR_TOKEN` is a placeholder: give --login USER:PASSWORD, or --token-env NAME with the token in \
                 that environment variable",
            ));
        }
        None if !offered && !needs_token => return Ok((Auth::None, None, None)),
        None if !offered => {
            return Err(usage(
                "a server needs a token: give --login USER:PASSWORD, or --token-env NAME with the token in that \
                 environment variable (or a curl command, after `--`)",
            ));
        }
        _ => {}
    }
    if let Some(login) = &args.login {
        let (user, password) = login
            .expose()
            .split_once(':')
            .filter(|(user, password)| !user.is_empty() && !password.is_empty())
            .ok_or_else(|| usage("--login is USER:PASSWORD"))?;
        return Ok((
            Auth::Given,
            Some((user.to_owned(), Secret::new(password))),
            None,
        ));
    }
    let name = args.token_env.as_deref().expect("one of the two was given");
    let token = environment(name).filter(|token| !token.trim().is_empty());
    let token = token.ok_or_else(|| {
        // Anything else may be the token itself, given in the wrong place.
        let shown = if is_variable_name(name) {
            name
        } else {
            "of that name"
        };
        usage(format!(
            "--token-env: the environment variable {shown} is not set, or empty"
        ))
    })?;
    Ok((Auth::Given, None, Some(Secret::new(token.trim()))))
}

fn is_variable_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_uppercase() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}
