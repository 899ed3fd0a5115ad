//! The command line: every command and option, with its default and what it is for. No behavior.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod deployment;

pub(crate) use deployment::{AnalyzeOptions, DashboardOptions, IngestOptions, KafkaArgs, KafkaMechanism, Network, ServeOptions};

/// Turns a city's signals into early warning: hotline calls, field reports and sensors into hotspots, recurrence, metrics and SQL.
#[derive(Debug, Parser)]
#[command(name = "gridwatch", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// What is logged: error, warn, info, debug, or a filter such as `info,analytics=debug`.
    #[arg(
        long,
        global = true,
        env = "GRIDWATCH_LOG_LEVEL",
        default_value = "warn,gridwatch=info,analytics=info,ingest=info,contract=info"
    )]
    pub(crate) log_level: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs everything on this machine: embedded log, ingest, jobs, metrics, SQL and the duty page.
    #[command(after_help = "Example: gridwatch up --data-dir ./city --city demo --seed 7")]
    Up(UpOptions),
    /// Reads files of a feed into the log.
    #[command(after_help = "Example: gridwatch replay taipei-hotline hotline1999_2019.csv.zst --data-dir ./taipei")]
    Replay(ReplayOptions),
    /// Runs one statement, or opens a prompt.
    #[command(after_help = "Example: gridwatch sql \"SELECT category, count(*) FROM events GROUP BY category\"")]
    Sql(SqlOptions),
    /// Proves that every record of the log is a row of the lake, once, and that what is derived agrees.
    #[command(after_help = "Example: gridwatch check --data-dir ./city")]
    Check(RowsOptions),
    /// Lists the feeds and what came by them.
    #[command(after_help = "Example: gridwatch feeds")]
    Feeds(RowsOptions),
    /// Works on one feed.
    #[command(subcommand)]
    Feed(FeedCommand),
    /// Lists the jobs and their last run.
    #[command(after_help = "Example: gridwatch jobs")]
    Jobs(RowsOptions),
    /// Works on one job.
    #[command(subcommand)]
    Job(JobCommand),
    /// Lists the grid levels, or loads one.
    #[command(after_help = "Example: gridwatch grids load districts.geojson --level district --id CPTID --name TNAME")]
    Grids(GridsOptions),
    /// Shows records that did not get in, or maps them again.
    #[command(after_help = "Example: gridwatch quarantine --feed taipei-hotline --reason bad_time")]
    Quarantine(QuarantineOptions),
    /// Writes the demo city's grids, events and labels as files.
    #[command(after_help = "Example: gridwatch city --seed 7 --days 30 --out ./demo")]
    City(CityOptions),
    /// Takes events over HTTP and from feeds' topics into Kafka: one role of a deployment.
    #[command(after_help = "Example: gridwatch ingest --log kafka://kafka:9092 --ingest 127.0.0.1:8421")]
    Ingest(IngestOptions),
    /// Commits what Kafka holds to the lake and runs the jobs; start it more than once to share the work.
    #[command(after_help = "Example: gridwatch analyze --log kafka://kafka:9092 --lake /var/lib/gridwatch/lake --group city")]
    Analyze(AnalyzeOptions),
    /// Serves SQL over the lake: one role of a deployment.
    #[command(after_help = "Example: gridwatch serve --lake /var/lib/gridwatch/lake --sql 127.0.0.1:8432 --sql-http 127.0.0.1:8431")]
    Serve(ServeOptions),
    /// Serves the duty page: one role of a deployment.
    #[command(after_help = "Example: gridwatch dashboard --door 127.0.0.1:8431 --page 127.0.0.1:8420")]
    Dashboard(DashboardOptions),
    /// The child process of `up` and `serve` that serves SQL on listeners it inherits.
    #[command(hide = true)]
    SqlDoor(DoorOptions),
}

#[derive(Debug, Subcommand)]
pub(crate) enum FeedCommand {
    /// Runs a feed folder's sample against its expected events.
    #[command(after_help = "Example: gridwatch feed test ./feeds/my-hotline")]
    Test(FeedTestOptions),
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Runs a job now and prints its rows; nothing is kept.
    #[command(after_help = "Example: gridwatch job run hotspots --as-of 2019-08-21T12:00:00+08:00")]
    Run(JobRunOptions),
}

/// Where a city's data stands and which folders of one's own are read.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// Folder of the log and the lake.
    #[arg(long, env = "GRIDWATCH_DATA_DIR", default_value = "./gridwatch-data")]
    pub(crate) data_dir: PathBuf,
    /// Folder of the lake, if not below the data folder.
    #[arg(long, env = "GRIDWATCH_LAKE")]
    pub(crate) lake: Option<PathBuf>,
    /// File of options (TOML, keys as the options, with `_` for `-`).
    #[arg(long, env = "GRIDWATCH_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of feeds of one's own.
    #[arg(long, env = "GRIDWATCH_FEEDS_DIR")]
    pub(crate) feeds_dir: Option<PathBuf>,
    /// Folder of jobs of one's own.
    #[arg(long, env = "GRIDWATCH_JOBS_DIR")]
    pub(crate) jobs_dir: Option<PathBuf>,
    /// The city's time zone: where its days begin.
    #[arg(long, env = "GRIDWATCH_TIME_ZONE", default_value = "Asia/Shanghai")]
    pub(crate) time_zone: String,
    /// The log: `local`, or `kafka://HOST:PORT[,HOST:PORT]`.
    #[arg(long, env = "GRIDWATCH_LOG", default_value = "local")]
    pub(crate) log: String,
    #[command(flatten)]
    pub(crate) kafka: KafkaArgs,
    /// How long the log keeps records, in hours; the embedded one keeps what the lake does not hold yet however old it is.
    #[arg(long, env = "GRIDWATCH_LOG_RETENTION_HOURS", default_value_t = 168, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) log_retention_hours: u64,
    /// How many bytes of a topic the log keeps; the embedded one keeps what the lake does not hold yet beyond it.
    #[arg(long, env = "GRIDWATCH_LOG_RETENTION_BYTES", default_value_t = 8 << 30)]
    pub(crate) log_retention_bytes: u64,
}

impl Place {
    /// Folder of the lake.
    pub(crate) fn lake(&self) -> PathBuf {
        let lake = self.lake.clone().unwrap_or_else(|| self.data_dir.join("lake"));
        std::path::absolute(&lake).unwrap_or(lake)
    }

    /// File of the embedded log.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.data_dir.join("log.redb")
    }
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// With a header.
    Csv,
    /// One array of objects.
    Json,
    /// One object a line.
    Ndjson,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RowsOptions {
    #[command(flatten)]
    pub(crate) place: Place,
    /// How rows are printed; a table on a terminal, csv otherwise.
    #[arg(long, env = "GRIDWATCH_FORMAT")]
    pub(crate) format: Option<Format>,
}

/// What `up` streams by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CitySource {
    /// The generated demo city: 30 days of history at once, then live.
    Demo,
    /// Nothing; only what is sent.
    None,
}

#[derive(Debug, Args)]
pub(crate) struct UpOptions {
    #[command(flatten)]
    pub(crate) place: Place,
    /// What streams by itself.
    #[arg(long, env = "GRIDWATCH_CITY", default_value = "demo")]
    pub(crate) city: CitySource,
    /// Seed of the demo city: the same seed makes the same city.
    #[arg(long, env = "GRIDWATCH_SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Seconds of the demo city's time a second.
    #[arg(long, env = "GRIDWATCH_SPEED", default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// Address of the duty page, /livez, /readyz and POST /v1/sql; port 0 picks a free one.
    #[arg(long, env = "GRIDWATCH_PAGE", default_value = "127.0.0.1:8420")]
    pub(crate) page: SocketAddr,
    /// Address of POST /v1/events and POST /v1/feeds/{feed}.
    #[arg(long, env = "GRIDWATCH_INGEST", default_value = "127.0.0.1:8421")]
    pub(crate) ingest: SocketAddr,
    /// Address of /metrics.
    #[arg(long, env = "GRIDWATCH_METRICS", default_value = "127.0.0.1:8422")]
    pub(crate) metrics: SocketAddr,
    /// Address of the PostgreSQL protocol.
    #[arg(long, env = "GRIDWATCH_SQL", default_value = "127.0.0.1:8432")]
    pub(crate) sql: SocketAddr,
    /// Pause between commits to the lake while events come, in milliseconds.
    #[arg(long, env = "GRIDWATCH_COMMIT_INTERVAL_MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub(crate) commit_interval_ms: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayOptions {
    /// The feed.
    pub(crate) feed: String,
    /// Files of the feed: plain, gzip or zstd.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rows: RowsOptions,
    /// `max`, or seconds of event time a second such as `60x`.
    #[arg(long, env = "GRIDWATCH_SPEED", default_value = "max")]
    pub(crate) speed: String,
    /// Most rows read over all files.
    #[arg(long)]
    pub(crate) limit: Option<u64>,
    /// Exit 1 if a row was refused.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SqlOptions {
    /// The statement; without it and without --file a prompt opens.
    pub(crate) statement: Option<String>,
    /// File with the statement.
    #[arg(short, long, conflicts_with = "statement")]
    pub(crate) file: Option<PathBuf>,
    /// A running door, postgres://HOST:PORT/gridwatch, instead of the lake.
    #[arg(long, env = "GRIDWATCH_URL")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) rows: RowsOptions,
}

#[derive(Debug, Args)]
pub(crate) struct FeedTestOptions {
    /// The feed's folder.
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct JobRunOptions {
    /// Name of a job, or its folder.
    pub(crate) job: String,
    /// The city's clock of the run, RFC 3339; the newest watermark otherwise.
    #[arg(long)]
    pub(crate) as_of: Option<chrono::DateTime<chrono::Utc>>,
    #[command(flatten)]
    pub(crate) rows: RowsOptions,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct GridsOptions {
    #[command(subcommand)]
    pub(crate) command: Option<GridsCommand>,
    #[command(flatten)]
    pub(crate) rows: RowsOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GridsCommand {
    /// Loads a level from GeoJSON (plain, gzip or zstd).
    #[command(after_help = "Example: gridwatch grids load villages.geojson.zst --level village --id CPTVID --name VNAME --parent TNAME")]
    Load(GridsLoadOptions),
    /// Locates the events of table `unlocated` again, against the newest grids.
    #[command(after_help = "Example: gridwatch grids locate --data-dir ./taipei")]
    Locate(RowsOptions),
}

#[derive(Debug, Args)]
pub(crate) struct GridsLoadOptions {
    /// The GeoJSON file.
    pub(crate) file: PathBuf,
    /// Name of the level.
    #[arg(long)]
    pub(crate) level: String,
    /// Property that is the grid's id.
    #[arg(long)]
    pub(crate) id: String,
    /// Property that is its name.
    #[arg(long)]
    pub(crate) name: String,
    /// Property that is its English name.
    #[arg(long)]
    pub(crate) name_en: Option<String>,
    /// Property that names the grid above, by id or name.
    #[arg(long)]
    pub(crate) parent: Option<String>,
    /// Property that is its population.
    #[arg(long)]
    pub(crate) population: Option<String>,
    /// CSV of `alias,grid_id`: other names under which addresses call the grids.
    #[arg(long)]
    pub(crate) aliases: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rows: RowsOptions,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct QuarantineOptions {
    #[command(subcommand)]
    pub(crate) command: Option<QuarantineCommand>,
    /// Only of this feed.
    #[arg(long)]
    pub(crate) feed: Option<String>,
    /// Only of this reason.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) rows: RowsOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// Maps a feed's refused records again, after its mapping was mended; what is refused again stays where it is.
    #[command(after_help = "Example: gridwatch quarantine replay --feed taipei-hotline")]
    Replay(QuarantineReplayOptions),
}

#[derive(Debug, Args)]
pub(crate) struct QuarantineReplayOptions {
    /// The feed.
    #[arg(long)]
    pub(crate) feed: String,
    /// Only of this reason.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) rows: RowsOptions,
}

#[derive(Debug, Args)]
pub(crate) struct CityOptions {
    /// Seed: the same seed makes the same bytes.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Days of events.
    #[arg(long, default_value_t = 30)]
    pub(crate) days: u32,
    /// Folder the files are written to.
    #[arg(long)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DoorOptions {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Most bytes of address space: beyond it the process ends and is started again.
    #[arg(long, default_value_t = 6 * 1024 * 1024 * 1024)]
    pub(crate) address_space_max: u64,
    /// The process it serves for; without it there is nobody to serve.
    #[arg(long)]
    pub(crate) parent: u32,
}
