//! Dynamic string tokens: `$ORIGIN`, `$LIB`, `$PLATFORM` and their braced
//! spellings, after `_dl_dst_count` and `_dl_dst_substitute` (elf/dl-load.c),
//! and musl's `fixup_rpath` (ldso/dynlink.c).

/// What the tokens stand for. `None`: not known, what holds it is dropped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokens<'a> {
    pub origin: Option<&'a [u8]>,
    pub lib: Option<&'a [u8]>,
    pub platform: Option<&'a [u8]>,
    /// `AT_SECURE`: `$ORIGIN` must stand at the start, as a whole component.
    pub secure: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Origin,
    Lib,
    Platform,
}

/// From here on an expansion does not grow. The loader has no limit of its own,
/// but nothing longer than a path can be opened, whatever its end is.
const LONGEST: usize = 64 * 1024;

/// Expands one element as glibc does. `None`: it is dropped.
pub fn expand(text: &[u8], tokens: &Tokens<'_>) -> Option<Vec<u8>> {
    let mut expanded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.iter().position(|&b| b == b'$') {
        expanded.extend_from_slice(&rest[..dollar]);
        let behind = &rest[dollar + 1..];
        match token_at(behind) {
            Some((token, len)) => {
                let at_start = rest.len() == text.len() && dollar == 0;
                expanded.extend_from_slice(value_of(token, tokens, at_start, &behind[len..])?);
                rest = &behind[len..];
            }
            None => {
                expanded.push(b'$');
                rest = behind;
            }
        }
        if expanded.len() > LONGEST {
            break;
        }
    }
    expanded.extend_from_slice(rest);
    Some(expanded)
}

fn value_of<'a>(token: Token, tokens: &Tokens<'a>, at_start: bool, behind: &[u8]) -> Option<&'a [u8]> {
    match token {
        Token::Origin => {
            let whole = at_start && matches!(behind.first(), None | Some(b'/'));
            if tokens.secure && !whole { None } else { tokens.origin }
        }
        Token::Lib => tokens.lib,
        Token::Platform => tokens.platform,
    }
}

/// The token that starts behind a `$`, and how many bytes it takes. A bare one
/// must not be followed by a name character, a braced one needs its brace.
fn token_at(behind: &[u8]) -> Option<(Token, usize)> {
    let braced = behind.first() == Some(&b'{');
    let name = &behind[usize::from(braced)..];
    let len = name.iter().position(|b| !is_name_char(*b)).unwrap_or(name.len());
    let token = match &name[..len] {
        b"ORIGIN" => Token::Origin,
        b"LIB" => Token::Lib,
        b"PLATFORM" => Token::Platform,
        _ => return None,
    };
    match braced {
        true if name.get(len) == Some(&b'}') => Some((token, len + 2)),
        true => None,
        false => Some((token, len)),
    }
}

fn is_name_char(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// Does expanding need to know more than the origin? The loader file is read
/// for `$LIB` and `$PLATFORM` only if they occur.
pub fn needs_loader(text: &[u8]) -> bool {
    tokens_in(text).any(|token| matches!(token, Token::Lib | Token::Platform))
}

/// Does any token occur? What has none stands for itself.
pub fn has_token(text: &[u8]) -> bool {
    tokens_in(text).next().is_some()
}

/// Does `$ORIGIN` occur?
pub fn has_origin(text: &[u8]) -> bool {
    tokens_in(text).any(|token| token == Token::Origin)
}

fn tokens_in(text: &[u8]) -> impl Iterator<Item = Token> {
    let dollars = text.iter().enumerate().filter(|(_, b)| **b == b'$');
    dollars.filter_map(|(at, _)| token_at(&text[at + 1..])).map(|(token, _)| token)
}

/// Expands a whole list as musl does: `$ORIGIN` by prefix, and any other `$`
/// disables the list: `None`.
pub fn expand_musl(list: &[u8], origin: &[u8]) -> Option<Vec<u8>> {
    let mut expanded = Vec::with_capacity(list.len());
    let mut rest = list;
    while let Some(dollar) = rest.iter().position(|&b| b == b'$') {
        expanded.extend_from_slice(&rest[..dollar]);
        expanded.extend_from_slice(origin);
        let behind = &rest[dollar..];
        let spelled: &[u8] = if behind.starts_with(b"${ORIGIN}") { b"${ORIGIN}" } else { b"$ORIGIN" };
        rest = behind.strip_prefix(spelled)?;
        if expanded.len() > LONGEST {
            return None;
        }
    }
    expanded.extend_from_slice(rest);
    Some(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glibc_expands_whole_tokens_and_leaves_the_rest() {
        let tokens =
            Tokens { origin: Some(b"/o"), lib: Some(b"lib64"), platform: Some(b"z13"), secure: false };
        let rows: [(&str, Option<&str>); 16] = [
            ("$ORIGIN/a", Some("/o/a")),
            ("${ORIGIN}/a", Some("/o/a")),
            ("/x/$LIB/$PLATFORM", Some("/x/lib64/z13")),
            ("/x/${LIB}${PLATFORM}", Some("/x/lib64z13")),
            ("$ORIGINx/a", Some("$ORIGINx/a")),
            ("${ORIGIN/a", Some("${ORIGIN/a")),
            ("$FOO", Some("$FOO")),
            ("$LIB_", Some("$LIB_")),
            ("$$ORIGIN/a", Some("$/o/a")),
            ("$ORIGIN$ORIGIN", Some("/o/o")),
            ("$ORIGIN-x", Some("/o-x")),
            ("${ORIGINx}", Some("${ORIGINx}")),
            ("$", Some("$")),
            ("${}", Some("${}")),
            ("a$", Some("a$")),
            ("", Some("")),
        ];
        for (text, expected) in rows {
            let got = expand(text.as_bytes(), &tokens);
            assert_eq!(got.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn what_grows_longer_than_any_path_is_not_dropped() {
        let tokens = Tokens { origin: Some(&[b'o'; 4000]), ..Tokens::default() };
        let expanded = expand(&b"$ORIGIN".repeat(50_000), &tokens).expect("it stays, as no file's name");
        assert!((LONGEST..1 << 20).contains(&expanded.len()), "{}", expanded.len());
    }

    #[test]
    fn what_is_not_known_drops_the_element() {
        for text in ["$ORIGIN", "/x/$LIB", "a/${PLATFORM}/b"] {
            assert_eq!(expand(text.as_bytes(), &Tokens::default()), None, "{text}");
        }
    }

    #[test]
    fn a_setuid_program_has_an_origin_only_at_the_start() {
        let tokens = Tokens { origin: Some(b"/o"), platform: Some(b"p"), secure: true, ..Tokens::default() };
        let rows = [
            ("$ORIGIN", true),
            ("$ORIGIN/a", true),
            ("/x/$ORIGIN", false),
            ("${ORIGIN}x", false),
            ("$PLATFORM$ORIGIN/a", false),
        ];
        for (text, kept) in rows {
            assert_eq!(expand(text.as_bytes(), &tokens).is_some(), kept, "{text}");
        }
    }

    #[test]
    fn musl_knows_origin_by_prefix_and_nothing_else() {
        let rows: [(&str, Option<&str>); 6] = [
            ("$ORIGIN/a:${ORIGIN}/b", Some("/o/a:/o/b")),
            ("$ORIGINa", Some("/oa")),
            ("/x:$LIB", None),
            ("${ORIGIN", None),
            ("/x/$", None),
            ("/x", Some("/x")),
        ];
        for (text, expected) in rows {
            assert_eq!(expand_musl(text.as_bytes(), b"/o").as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn only_lib_and_platform_ask_for_the_loader_file() {
        assert!(!needs_loader(b"$ORIGIN/../lib:$LIBx"));
        assert!(needs_loader(b"$ORIGIN/${LIB}"));
    }
}
