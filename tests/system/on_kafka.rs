//! A city on a real Kafka: the roles of a deployment as plain processes, meeting in the log and in the lake. Members are killed,
//! stopped and added, the broker dies, and nothing acknowledged is lost.

use std::time::{Duration, Instant};

use crate::kafka_rig::Rig;
use crate::load::{in_lake, under_load_at};
use crate::roles::{Deployment, PATIENCE, Role};
use crate::support::sql;

#[test]
fn nothing_acknowledged_is_lost_while_members_die_hang_and_join_and_the_broker_is_killed() {
    let Some(mut rig) = Rig::start(1, false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let city = Deployment::new(&rig, folder.path());
    let ingest = city.ingest();
    let serve = city.start("serve", &["--sql", "127.0.0.1:0", "--sql-http", "127.0.0.1:0"], 3);
    let door = serve.at("sql-http").to_string();
    let dashboard = city.start("dashboard", &["--door", &door, "--page", "127.0.0.1:0"], 1);
    let mut members: Vec<Role> = (0..2).map(|member| city.member(&format!("m{member}"))).collect();
    let acked = under_load_at(ingest.at("ingest"), "f", || {
        for round in 0..3 {
            std::thread::sleep(Duration::from_secs(2));
            // Killed, and another in its place; a third joins for a while.
            members.remove(0).kill();
            members.push(city.member(&format!("m{round}")));
            let guest = city.member("guest");
            std::thread::sleep(Duration::from_secs(2));
            guest.end();
        }
        // Hangs for longer than the session lasts, with partitions of its own and records under way; then goes on.
        let hanging = city.member("hangs");
        std::thread::sleep(Duration::from_secs(4));
        hanging.stop();
        std::thread::sleep(Duration::from_secs(13));
        hanging.resume();
        members.push(hanging);
        rig.kill(1);
        rig.restart(1);
        std::thread::sleep(Duration::from_secs(2));
    });
    assert!(acked.len() > 500, "the load was acknowledged at all: {}", acked.len());
    // Requests that failed while the broker was away may stand in the log as well; what was acknowledged must.
    let (page, began) = (dashboard.at("page"), Instant::now());
    let standing = |page| sql(page, "SELECT count(DISTINCT event_id) AS n FROM events")[0]["n"].as_u64().unwrap_or(0);
    while standing(page) < acked.len() as u64 {
        assert!(began.elapsed() < PATIENCE, "{} of {} are there", standing(page), acked.len());
        std::thread::sleep(Duration::from_millis(200));
    }
    let balances: Vec<Option<f64>> = members.iter().map(|member| member.sum("gridwatch_balance_difference_records ")).collect();
    assert!(balances.iter().all(|balance| *balance == Some(0.0)), "{balances:?}");
    members.into_iter().for_each(Role::end);
    ingest.end();
    serve.end();
    dashboard.end();
    let all: Vec<(&str, String)> = acked.into_iter().map(|id| ("load", id)).collect();
    city.check();
    in_lake(folder.path(), &city.data, &all);
}
