//! The files of a deployment are understood by the programs that read them, and name what there is.

use std::process::Command;

use crate::support::{root, skipped};

#[test]
fn the_compose_file_is_valid_and_its_commands_are_ours() {
    let Ok(out) = Command::new("docker-compose").args(["config"]).current_dir(root()).output() else {
        skipped("docker-compose.yml; get docker-compose with: apt-get install docker-compose");
        return;
    };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let resolved = String::from_utf8(out.stdout).unwrap();
    for role in ["ingest", "analyze", "serve", "dashboard"] {
        assert!(resolved.contains(&format!("- {role}\n")), "no container runs {role}");
        let help = crate::support::program().args([role, "--help"]).output().unwrap();
        assert!(help.status.success(), "gridwatch {role} is no command");
    }
    // Nothing is reached from beyond this machine.
    let ports: Vec<&str> = resolved.lines().filter(|line| line.ends_with("/tcp")).collect();
    assert!(ports.len() >= 6 && ports.iter().all(|line| line.contains("127.0.0.1:")), "{ports:?}");
}

#[test]
fn prometheus_evaluates_the_rules_of_every_job() {
    let file = root().join("dashboards/prometheus/prometheus.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    for job in std::fs::read_dir(root().join("analytics/jobs")).unwrap() {
        let rules = format!("/jobs/{}/alerts.yml", job.unwrap().file_name().to_string_lossy());
        assert!(text.contains(&rules), "{rules} is not in dashboards/prometheus/prometheus.yml");
    }
    let Ok(out) = Command::new("promtool").args(["check", "config", "--syntax-only"]).arg(&file).output() else {
        skipped("dashboards/prometheus; get promtool with: apt-get install prometheus");
        return;
    };
    assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
}
