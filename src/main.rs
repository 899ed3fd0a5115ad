//! The program: reads its command line, runs the command, and turns what went wrong into an exit code and a sentence.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::FromArgMatches;

mod backtest;
mod check;
mod city;
mod cli;
mod clock;
mod config;
mod control;
mod deploy;
mod door;
mod failure;
mod feeds;
mod grids;
mod jobs;
mod log;
mod metrics_server;
mod output;
mod pipeline;
mod progress;
mod quarantine;
mod replay;
mod roles;
mod sql;
mod topics;
mod up;

/// Rows are many small strings, and the system's allocator is slow at them.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let command = match config::command(std::env::args_os()) {
        Ok(command) => command,
        Err(failure) => return failure.report(),
    };
    let matches = command.get_matches();
    let cli = match cli::Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(tracing_subscriber::EnvFilter::new(&cli.log_level))
        .with_target(false)
        .init();
    // Planning a statement and merging files keep a worker busy for a good part of a second. Were there only as many workers as cores, two of
    // those would hold up commits, timers and answers; with more, the system shares the cores out.
    let workers = 4 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // Planning a deep statement recurses; the workers' stacks are made for it (2 MiB is tokio's default).
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(workers).thread_stack_size(16 * 1024 * 1024).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::machine("could not start", &error).report(),
    };
    let done = runtime.block_on(Box::pin(run(cli.command)));
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    done.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

async fn run(command: cli::Command) -> Result<(), failure::Failure> {
    use cli::Command;
    match command {
        Command::Up(options) => up::run(options).await,
        Command::Replay(options) => replay::run(options).await,
        Command::Sql(options) => sql::run(options).await,
        Command::Check(options) => check::run(options).await,
        Command::Feeds(options) => feeds::list(options).await,
        Command::Feed(cli::FeedCommand::Test(options)) => feeds::test(&options),
        Command::Jobs(options) => jobs::list(options).await,
        Command::Job(cli::JobCommand::Run(options)) => jobs::run(options).await,
        Command::Backtest(options) => backtest::run(options).await,
        Command::Grids(options) => grids::run(options).await,
        Command::Quarantine(options) => quarantine::run(options).await,
        Command::City(options) => city::write(&options),
        Command::Ingest(options) => deploy::ingest(options).await,
        Command::Analyze(options) => deploy::analyze(options).await,
        Command::Serve(options) => deploy::serve(options).await,
        Command::Dashboard(options) => deploy::dashboard(options).await,
        Command::SqlDoor(options) => door::serve(options).await,
    }
}
