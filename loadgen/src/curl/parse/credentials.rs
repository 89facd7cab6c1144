//! Options that hold a credential: `-u`, `--oauth2-bearer`, `-b`.

use super::variable::{self, Names};
use crate::curl::error::CurlError;
use crate::curl::request::{Draft, is_placeholder};
use crate::curl::show::Given;
use crate::secret::{HIDDEN, Secret};

/// `-u USER:PASSWORD`.
pub(super) fn user(draft: &mut Draft, given: Given<'_>) -> Result<(), CurlError> {
    let text = given.text(&draft.shown)?;
    variable::refuse(&draft.shown, given, &text, Names::Capitals)?;
    let Some((_, password)) = text.split_once(':') else {
        let shown = format!("{}{HIDDEN}", given.before);
        let message = format!("{} needs USER:PASSWORD", given.option);
        let help = "curl would ask for the password; nothing is asked here".to_owned();
        return Err(draft
            .shown
            .fault(&shown, HIDDEN, message, "no password", Some(help)));
    };
    draft
        .secrets
        .extend([Secret::new(&text), Secret::new(password)]);
    draft.basic = Some(text);
    draft.shown.push_value(given.before, HIDDEN);
    Ok(())
}

/// `--oauth2-bearer TOKEN`.
pub(super) fn bearer(draft: &mut Draft, given: Given<'_>) -> Result<(), CurlError> {
    let text = given.text(&draft.shown)?;
    variable::refuse(&draft.shown, given, &text, Names::All)?;
    let shown = if is_placeholder(&text) { &text } else { HIDDEN };
    draft.shown.push_value(given.before, shown);
    draft.bearer_token = Some(text);
    Ok(())
}

/// `-b 'name=value; other=value'`.
pub(super) fn cookie(draft: &mut Draft, given: Given<'_>) -> Result<(), CurlError> {
    let text = given.text(&draft.shown)?;
    if !text.contains('=') {
        let message = format!("{} names a cookie file, which is not offered", given.option);
        let help = "write the cookies: -b 'name=value; other=value'".to_owned();
        let label = "no `=`, so it is a file";
        return Err(given.fault(&draft.shown, message, label, Some(help)));
    }
    variable::refuse(&draft.shown, given, &text, Names::Capitals)?;
    draft.hide_cookies(&text);
    draft.cookies.push(text.into_bytes());
    draft.shown.push_value(given.before, HIDDEN);
    Ok(())
}
