//! The configuration file: its keys become defaults of the options, so that option, environment, file and default take
//! precedence in this order in one place.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::{Command, CommandFactory};

use crate::cli::Cli;
use crate::failure::Failure;

/// The command line with the file's values as its defaults.
pub(crate) fn command(arguments: impl Iterator<Item = OsString>) -> Result<Command, Failure> {
    let command = Cli::command();
    let Some(path) = path(arguments) else { return Ok(command) };
    let shown = path.to_string_lossy().into_owned();
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::configuration(format!("could not read configuration \"{shown}\": {error}")))?;
    let values: BTreeMap<String, toml::Value> =
        toml::from_str(&text).map_err(|error| Failure::configuration(format!("configuration \"{shown}\" is not understood: {error}")))?;
    let known = options(&command);
    for key in values.keys() {
        if !known.contains(&key.replace('_', "-")) {
            let nearest = known
                .iter()
                .min_by_key(|option| strsim::levenshtein(option, &key.replace('_', "-")))
                .map(|option| option.replace('-', "_"))
                .unwrap_or_default();
            return Err(Failure::configuration(format!("configuration \"{shown}\" has an unknown key \"{key}\""))
                .hint(format!("the nearest key is \"{nearest}\"")));
        }
    }
    Ok(with_defaults(command, &values))
}

/// `--config FILE`, `--config=FILE` or the environment, before anything else is read.
#[expect(clippy::disallowed_methods, reason = "this is the door to the environment")]
fn path(arguments: impl Iterator<Item = OsString>) -> Option<OsString> {
    let mut arguments = arguments.skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next();
        }
        if let Some(path) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    std::env::var("GRIDWATCH_CONFIG").ok().map(Into::into)
}

fn options(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned));
    let mut all: Vec<String> = own.chain(command.get_subcommands().flat_map(options)).collect();
    all.sort();
    all.dedup();
    all
}

fn with_defaults(mut command: Command, values: &BTreeMap<String, toml::Value>) -> Command {
    let own: Vec<(clap::Id, String)> = command
        .get_arguments()
        .filter_map(|argument| Some((argument.get_id().clone(), values.get(&argument.get_long()?.replace('-', "_")).map(text)?)))
        .collect();
    for (id, value) in own {
        // The parser keeps defaults for as long as the process lives; the file is read once.
        let value: &'static str = Box::leak(value.into_boxed_str());
        command = command.mut_arg(id, |argument| argument.default_value(value));
    }
    let names: Vec<String> = command.get_subcommands().map(|child| child.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, |child| with_defaults(child, values));
    }
    command
}

fn text(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
