//! What was measured, as Markdown: all of it for docs/compare.md, what one wants
//! to know first for README.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::cases::{Case, Tool, cases, tools};
use crate::{PARTS, top};

/// The rows of each part, by the name of the part.
struct Results {
    date: String,
    parts: BTreeMap<&'static str, Vec<Vec<String>>>,
    cases: Vec<Case>,
    tools: Vec<Tool>,
}

/// Nothing, as long as a part has not been measured.
pub fn write(results: &Path) {
    let read = |name: &str| fs::read_to_string(results.join(name)).ok();
    let mut parts = BTreeMap::new();
    for (name, _) in PARTS {
        let Some(text) = read(name) else {
            return eprintln!("no tables yet: `{name}` has not been measured");
        };
        let fields = |line: &str| line.split('\t').map(str::to_owned).collect();
        parts.insert(name, text.lines().map(fields).collect());
    }
    let date = read("date").unwrap_or_default();
    let results = Results { date, parts, cases: cases(), tools: tools() };
    place("docs/compare.md", &results.page());
    place("README.md", &results.summary());
}

/// Between the lines that say so.
fn place(name: &str, tables: &str) {
    const BEGIN: &str = "<!-- compared: by benches/peers.sh -->\n";
    const END: &str = "<!-- end of compared -->";
    let path = top().join(name);
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap_or_else(|| panic!("{name} has no place for tables"));
    let (_, after) = rest.split_once(END).unwrap();
    fs::write(path, format!("{before}{BEGIN}\n{tables}\n{END}{after}")).unwrap();
}

/// A table: its head, how each column is set, and its rows.
fn table(head: &[&str], set: &str, rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |fields: &[String]| format!("| {} |\n", fields.join(" | "));
    let head: Vec<String> = head.iter().map(|word| (*word).to_owned()).collect();
    format!("{}|{set}|\n{}", line(&head), rows.map(|row| line(&row)).collect::<String>())
}

impl Results {
    /// The field behind these first ones.
    fn field(&self, part: &str, first: &[&str]) -> Option<&str> {
        let is_it = |row: &&Vec<String>| row.iter().zip(first).all(|(field, word)| field == word);
        self.parts[part].iter().find(is_it).map(|row| row[first.len()].as_str())
    }

    fn ratio(&self, part: &str, what: &str, tool: &str) -> String {
        self.field(part, &[what, tool]).unwrap_or("").to_owned()
    }

    fn version(&self, tool: &Tool) -> String {
        self.field("versions", &[tool.id]).unwrap_or("").to_owned()
    }

    fn passes(&self, case: &str, tool: &Tool) -> bool {
        self.field("cases", &[case, tool.id]) == Some("pass")
    }

    fn passed(&self, tool: &Tool) -> String {
        self.cases.iter().filter(|case| self.passes(case.id, tool)).count().to_string()
    }

    fn agreed(&self, tool: &Tool) -> String {
        let right = self.field("agree", &[tool.id]);
        right.map_or(String::new(), |right| format!("{right} of {}", self.files()))
    }

    fn files(&self) -> &str {
        &self.parts["agree"][0][2]
    }

    fn harms(&self, tool: &Tool) -> String {
        let is_harmless = ["constructor", "interpreter"].iter().all(|case| self.passes(case, tool));
        if is_harmless { "no" } else { "yes" }.to_owned()
    }

    fn silence(&self, tool: &Tool) -> String {
        if self.passes("missing", tool) { "an error" } else { "exit status 0" }.to_owned()
    }

    /// What the loader opens, and for depcollect what it brings by itself too.
    fn copying(&self, tool: &Tool) -> String {
        let times = self.ratio("copy", "gdb", tool.id);
        if tool.from.0 == "here" { format!("1.00, and {times} with Python") } else { times }
    }

    fn summary(&self) -> String {
        let of = format!("cases passed, of {}", self.cases.len());
        let head = [
            "",
            "version",
            &of,
            "lists as the loader does",
            "a missing library",
            "runs what it looks at",
            "time to list gdb",
            "to copy gdb",
        ];
        let row = |tool: &Tool| {
            vec![
                tool.name.to_owned(),
                self.version(tool),
                self.passed(tool),
                self.agreed(tool),
                self.silence(tool),
                self.harms(tool),
                self.ratio("list", "gdb", tool.id),
                self.copying(tool),
            ]
        };
        let rows = self.tools.iter().map(row);
        format!("{}\n\n{}", self.date, table(&head, "---|---|--:|--:|---|---|--:|--:", rows))
    }

    fn page(&self) -> String {
        [format!("{}\n", self.date), self.driven(), self.listed(), self.copied(), self.matrix(), self.words()]
            .join("\n")
    }

    fn driven(&self) -> String {
        let row = |tool: &Tool| {
            let (registry, package) = tool.from;
            let from = if registry == "here" { String::new() } else { format!("{registry}: {package}") };
            vec![
                tool.id.into(),
                tool.name.into(),
                from,
                self.version(tool),
                tool.how.into(),
                self.passed(tool),
            ]
        };
        let of = format!("of {}", self.cases.len());
        let head = ["", "tool", "from", "version", "how", &of];
        format!("## Tools\n\n{}", table(&head, "---|---|---|---|---|--:", self.tools.iter().map(row)))
    }

    fn listed(&self) -> String {
        let what = ["ls", "git", "python3", "gdb", "/usr"];
        let row = |tool: &Tool| {
            let times = what.map(|what| self.ratio("list", what, tool.id));
            [vec![tool.name.to_owned(), self.agreed(tool)], times.to_vec()].concat()
        };
        let rows = self.tools.iter().filter(|tool| tool.list.is_some()).map(row);
        let head = ["", "right", "ls", "git", "python3", "gdb", "all of /usr in one call"];
        format!(
            "## Listing\n\nRight: of {} ELF files of /usr, every seventh, for which `ld.so --list` finds everything. Times:\n\
             as many as depcollect's.\n\n{}",
            self.files(),
            table(&head, "---|--:|--:|--:|--:|--:|--:", rows)
        )
    }

    fn copied(&self) -> String {
        let row = |tool: &Tool| vec![tool.name.to_owned(), self.copying(tool)];
        let rows = self.tools.iter().map(row);
        format!(
            "## Copying gdb\n\nTimes: as many as those of `depcollect --needs off`, which brings what the loader\n\
             opens. By itself depcollect brings gdb's Python too, without which gdb does not start.\n\n{}",
            table(&["", "times"], "---|--:", rows)
        )
    }

    fn matrix(&self) -> String {
        let row = |case: &Case| {
            let option = case.with.iter().map(|option| format!(" (`{option}`)")).collect::<String>();
            let mut fields = vec![format!("`{}`", case.id), format!("{}{option}", case.about)];
            let mark = |tool: &Tool| if self.passes(case.id, tool) { "pass" } else { "FAIL" };
            fields.extend(self.tools.iter().map(|tool| mark(tool).to_owned()));
            fields
        };
        let head: Vec<&str> =
            ["case", "what it is about"].into_iter().chain(self.tools.iter().map(|t| t.id)).collect();
        let set = format!("---|---{}", "|---".repeat(self.tools.len()));
        format!("## Cases\n\n{}", table(&head, &set, self.cases.iter().map(row)))
    }

    /// What the failures said, each said once.
    fn words(&self) -> String {
        let mut text = "## In their own words\n".to_owned();
        for case in &self.cases {
            let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
            for row in self.parts["cases"].iter().filter(|row| row[0] == case.id && row[2] != "pass") {
                match said.iter_mut().find(|(words, _)| *words == row[3]) {
                    Some((_, tools)) => tools.push(&row[1]),
                    None => said.push((&row[3], vec![&row[1]])),
                }
            }
            let line =
                |(words, tools): &(&str, Vec<&str>)| format!("- {}: `` {words} ``\n", tools.join(", "));
            if !said.is_empty() {
                text += &format!("\n`{}`\n\n{}", case.id, said.iter().map(line).collect::<String>());
            }
        }
        text
    }
}
