//! The peers: programs of others, driven by small scripts beside this, that answer each line with what a run cost them.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::pairs::Cost;
use crate::support::root;

/// A peer that waits for lines.
pub(crate) struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// One run of what has that name.
    pub(crate) fn run(&mut self, name: &str) -> Cost {
        writeln!(self.input, "{name}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let costs: Vec<f64> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let [wall, cpu] = costs[..] else { panic!("the peer answered \"{line}\" to {name}") };
        Cost { wall, cpu }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It waits for another line; what it has to say was said.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn script(name: &str) -> PathBuf {
    root().join("tests/figures/peers").join(name)
}

/// Python with numpy and esda, in a folder of its own beside the build; none if it cannot be had.
pub(crate) fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_gridwatch")).ancestors().nth(2).unwrap();
    let folder = target.join("peers");
    let (python, done) = (folder.join("bin/python"), folder.join("done"));
    let wanted = std::fs::read_to_string(script("requirements.txt")).unwrap();
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Some(python);
    }
    let succeeded = |command: &mut Command| command.stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    let installed = succeeded(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        && succeeded(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
                .arg(script("requirements.txt")),
        );
    if !installed {
        println!("skipped: the peers in Python; python3 -m venv and pip install -r tests/figures/peers/requirements.txt must work");
        return None;
    }
    std::fs::write(done, wanted).unwrap();
    Some(python)
}

/// R with surveillance; none if it is not there.
pub(crate) fn surveillance(folder: &Path) -> Option<Peer> {
    let mut probe = Command::new("Rscript");
    probe.args(["-e", "library(surveillance)"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !probe.status().is_ok_and(|status| status.success()) {
        println!("skipped: EARS and Farrington beside R; get it with: apt-get install r-cran-surveillance");
        return None;
    }
    Some(Peer::start(Command::new("Rscript").arg(script("surveillance.R")).arg(folder)))
}

/// The folder of the scan's generator and oracle, beside the test data; none if it is absent.
pub(crate) fn scan_scripts() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the data's place is given by the environment")]
    let data = std::env::var("GRIDWATCH_TEST_DATA").map_or_else(|_| root().join("../shared/data"), PathBuf::from);
    let folder = data.join("../bench");
    if folder.join("gen_stp.py").exists() {
        return Some(folder);
    }
    println!("skipped: the scan beside SaTScan; {} holds no gen_stp.py: set GRIDWATCH_TEST_DATA to its sibling", folder.display());
    None
}

/// Numbers of 64 bits, as the scripts write and read them.
pub(crate) fn read_numbers(file: &Path) -> Vec<f64> {
    std::fs::read(file).unwrap().as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

pub(crate) fn write_numbers(file: &Path, numbers: &[f64]) {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    std::fs::write(file, bytes).unwrap();
}
