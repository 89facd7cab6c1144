//! "Did you mean": the known name that a misspelt one stands for.

/// The candidate that a misspelt name most probably stands for, if one is near enough.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|&(edits, _)| edits <= allowed)
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters, without regard to case.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_nearest_one() {
        let known = ["kv_namespaces", "d1_databases", "vars", "name"];
        assert_eq!(nearest("kv_namespace", known), Some("kv_namespaces"));
        assert_eq!(nearest("d1_database", known), Some("d1_databases"));
        assert_eq!(nearest("Vars", known), Some("vars"));
        assert_eq!(
            nearest("nmae", known),
            None,
            "two edits of four letters may be anything"
        );
        assert_eq!(nearest("frobnicate", known), None);
    }
}
