//! A page: the words of a function and the answer to its example, as Markdown.

use functions::Language::{En, Zh};
use functions::{ArgumentDoc, DemoCity, FunctionDoc, Language, Reason, ResultDoc, Undefined, Words};

use crate::answer::Answer;

/// Name of a page's file.
pub(crate) fn file(function: &str, language: Language) -> String {
    match language {
        En => format!("{function}.en.md"),
        Zh => format!("{function}.zh.md"),
    }
}

/// The page of a function in a language.
pub(crate) fn page(function: &FunctionDoc, answer: &Answer, language: Language) -> String {
    let say = |words: Words| words.of(language);
    let heading = |en: &'static str, zh: &'static str| format!("## {}", Words::new(en, zh).of(language));
    let (words, other) = (function.words, if language == En { Zh } else { En });
    let mut parts = vec![
        format!("# {}", function.name),
        format!("**{}**", say(words.question)),
        format!("[{}]({}) · [{}](README.md)", if other == Zh { "中文" } else { "English" }, file(function.name, other), say(ALL)),
    ];
    if let Some(picture) = words.example.picture {
        parts.push(format!("![{}]({}.svg)", say(picture.says), function.name));
        parts.push(format!("*{}*", say(picture.says)));
    }
    parts.push(say(words.explanation).to_owned());
    parts.push(format!("```sql\n{}\n```", function.signature));
    parts.extend([heading("Formula", "公式"), format!("```text\n{}\n```", words.formula)]);
    parts.extend([heading("Arguments", "参数"), arguments(&function.arguments, language)]);
    parts.push(say(kind(function.kind)).to_owned());
    parts.extend([heading("Result", "结果"), results(&function.results, language)]);
    parts.push(format!("{} `{}`", say(Words::new("Type:", "类型：")), function.returns));
    parts.extend([heading("When it is NULL", "何时为 NULL"), undefined(words.undefined, language)]);
    parts.extend([heading("Cautions", "注意"), list(words.cautions.iter().map(|caution| caution.of(language).to_owned()))]);
    parts.extend([heading("Example", "示例"), say(words.example.asks).to_owned()]);
    parts.push(format!("```sql\n{}\n```", words.example.statement));
    parts.push(rows(answer, words.example.shown));
    parts.push(format!("{} {}", counted(answer.rows.len(), words.example.shown, language), say(city(words.example.city))));
    parts.push(say(words.example.reads).to_owned());
    parts.extend([heading("Literature", "文献"), list(words.literature.iter().map(|source| (*source).to_owned()))]);
    parts.push(format!("{} `{}`", say(Words::new("Definition and tests:", "定义与测试：")), function.source));
    parts.join("\n\n") + "\n"
}

const ALL: Words = Words::new("all functions", "全部函数");

/// The list of all pages.
pub(crate) fn index(all: &[FunctionDoc]) -> String {
    let row = |function: &FunctionDoc| {
        let link = |language, label| format!("[{label}]({})", file(function.name, language));
        let question = function.words.question;
        format!("| `{}` | {} | {} | {} · {} |", function.name, question.en, question.zh, link(En, "English"), link(Zh, "中文"))
    };
    let rows: Vec<String> = all.iter().map(row).collect();
    format!(
        "# SQL functions\n\nMade by `make docs` from the functions' own words and the answers of the demo city; the same text is in SQL: \
         `SELECT * FROM system.functions`.\n\n本目录由 `make docs` 生成：文字来自各函数，结果来自示例城市；SQL 中同样可查：`SELECT * FROM \
         system.functions`。\n\n| function | question | 回答的问题 | page |\n|---|---|---|---|\n{}\n",
        rows.join("\n")
    )
}

const fn kind(kind: &str) -> Words {
    match kind.as_bytes() {
        b"window" => Words::new(
            "A window function: PARTITION BY tells one map, family or series from another; the frame does not matter.",
            "窗口函数（window）：用 PARTITION BY 区分不同的图、检验族或序列；窗口框架不起作用。",
        ),
        b"aggregate" => {
            Words::new("An aggregate: GROUP BY gives one answer a group.", "聚合函数（aggregate）：配合 GROUP BY，每组一个结果。")
        }
        b"table" => Words::new("A table function: it stands where a table may stand.", "表函数（table）：用在可以放表的位置。"),
        _ => Words::new("A scalar function: one answer a row.", "标量函数（scalar）：每行一个结果。"),
    }
}

const fn city(city: DemoCity) -> Words {
    match city {
        DemoCity::Weeks => Words::new(
            "The tables are those of the demo city (seed 1), the 42 days up to 31 October 2026.",
            "数据为示例城市（种子 1）截至 2026 年 10 月 31 日的 42 天。",
        ),
        DemoCity::Years => Words::new(
            "The method needs years, so here the tables are those of the demo city (seed 1) with a fiftieth of its calls, four years up to 31 October 2026.",
            "该方法需要多年数据，故此处用示例城市（种子 1）五十分之一的来电，截至 2026 年 10 月 31 日共四年。",
        ),
    }
}

fn counted(rows: usize, shown: usize, language: Language) -> String {
    match (rows > shown, language) {
        (true, En) => format!("The first {shown} of {rows} rows."),
        (true, Zh) => format!("共 {rows} 行，此处为前 {shown} 行。"),
        (false, _) => String::new(),
    }
}

fn arguments(arguments: &[ArgumentDoc], language: Language) -> String {
    let row = |argument: &ArgumentDoc| {
        vec![
            format!("`{}`", argument.name),
            argument.accepts.to_owned(),
            argument.unit.words().of(language).to_owned(),
            argument
                .default
                .as_ref()
                .map_or_else(|| Words::new("required", "必填").of(language).to_owned(), |default| format!("`{default}`")),
            argument.meaning(language).to_owned(),
        ]
    };
    let headings = if language == En {
        ["argument", "type", "unit", "default", "meaning"]
    } else {
        ["参数", "类型", "单位", "默认", "含义"]
    };
    table(&headings, arguments.iter().map(row))
}

fn results(results: &[ResultDoc], language: Language) -> String {
    let row = |result: &ResultDoc| {
        vec![
            result.name.map_or_else(|| "–".to_owned(), |name| format!("`{name}`")),
            result.data.to_owned(),
            result.meaning.unit.words().of(language).to_owned(),
            result.meaning.says.of(language).to_owned(),
        ]
    };
    let headings = if language == En { ["result", "type", "unit", "meaning"] } else { ["结果", "类型", "单位", "含义"] };
    table(&headings, results.iter().map(row))
}

fn undefined(causes: &[Undefined], language: Language) -> String {
    if causes.iter().all(|cause| cause.reason.is_none()) {
        return list(causes.iter().map(|cause| cause.when.of(language).to_owned()));
    }
    let row = |cause: &Undefined| {
        vec![cause.reason.map_or_else(String::new, |reason| format!("`{}`", Reason::as_str(reason))), cause.when.of(language).to_owned()]
    };
    table(if language == En { &["reason", "when"] } else { &["reason", "何时"] }, causes.iter().map(row))
}

fn rows(answer: &Answer, shown: usize) -> String {
    let headings: Vec<&str> = answer.columns.iter().map(String::as_str).collect();
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "NULL".to_owned());
    table(&headings, answer.rows.iter().take(shown).map(|row| row.iter().map(cell).collect()))
}

fn table(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |", cells.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | "));
    let rule = format!("|{}", "---|".repeat(headings.len()));
    let rows: Vec<String> = rows.map(|row| line(&row)).collect();
    format!("| {} |\n{rule}\n{}", headings.join(" | "), rows.join("\n"))
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.map(|item| format!("- {item}")).collect::<Vec<_>>().join("\n")
}

/// A text without the marks that differ between a page and a cell of `system.functions`.
pub(crate) fn plain(text: &str) -> String {
    text.replace(['`', '\\'], "")
}
