//! nginx in the place of the module: a gateway that is known to be mostly right, and wrong in known
//! ways, to try the tests of the relay and of faults on a host without a guest.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::ensure;
use crate::scale;
use crate::testing::{Context, Failure, Outcome};

/// Whether nginx is to be tested instead of the module.
pub fn wanted() -> bool {
    std::env::var("RESIN_GATEWAY").as_deref() == Ok("nginx")
}

/// A running nginx; stopped when dropped.
pub struct Nginx {
    addr: SocketAddr,
    dir: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    backends: BTreeMap<usize, SocketAddr>,
    settings: BTreeMap<String, String>,
}

/// Our settings and the directives that come nearest.
const SETTINGS: [(&str, &str); 6] = [
    ("header-timeout", "client_header_timeout"),
    ("keepalive-timeout", "keepalive_timeout"),
    ("connect-timeout", "proxy_connect_timeout"),
    ("response-timeout", "proxy_read_timeout"),
    ("send-timeout", "send_timeout"),
    ("linger-timeout", "lingering_timeout"),
];

impl Nginx {
    /// Starts it without backends.
    pub fn start(addr: SocketAddr) -> Result<Nginx, Failure> {
        let dir = std::env::temp_dir().join(format!("resin-nginx-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        let nginx = Nginx {
            addr,
            dir,
            state: Mutex::default(),
        };
        nginx.restart()?;
        Ok(nginx)
    }

    /// Names a backend.
    pub fn backend(&self, number: usize, addr: SocketAddr) -> Outcome {
        self.change(|state| {
            state.backends.insert(number, addr);
        })
    }

    /// Changes a setting.
    pub fn set(&self, name: &str, value: &str) -> Outcome {
        let known = SETTINGS.iter().find(|(ours, _)| *ours == name);
        let directive = known.map(|(_, theirs)| *theirs).unwrap_or_default();
        self.change(|state| {
            if !directive.is_empty() {
                state.settings.insert(directive.into(), value.into());
            }
        })
    }

    /// Stops it.
    pub fn stop(&self) -> Result<Duration, Failure> {
        let started = Instant::now();
        let pid = fs::read_to_string(self.dir.join("pid")).unwrap_or_default();
        if !pid.trim().is_empty() {
            let killed = Command::new("kill").arg(pid.trim()).status()?;
            ensure!(killed.success(), "nginx was not running");
            let free = || TcpListener::bind(self.addr).is_ok();
            ensure!(
                scale::wait_until(Duration::from_secs(5), free),
                "nginx does not stop"
            );
            let _ = fs::remove_file(self.dir.join("pid"));
        }
        Ok(started.elapsed())
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Outcome {
        if let Ok(mut state) = self.state.lock() {
            change(&mut state);
        }
        self.stop()?;
        self.restart()
    }

    fn restart(&self) -> Outcome {
        let conf = self.dir.join("nginx.conf");
        fs::write(&conf, self.conf())?;
        let run = Command::new("nginx")
            .arg("-c")
            .arg(&conf)
            .output()
            .context("starting nginx")?;
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        ensure!(run.status.success(), "nginx: {said}");
        Ok(())
    }

    fn conf(&self) -> String {
        let (mut servers, mut directives) = (String::new(), String::new());
        if let Ok(state) = self.state.lock() {
            for addr in state.backends.values() {
                servers += &format!("server {addr} max_fails=0;");
            }
            for (name, value) in &state.settings {
                directives += &format!("{name} {value};\n");
            }
        }
        if servers.is_empty() {
            servers = "server 127.0.0.1:6802;".into();
        }
        let (dir, port) = (self.dir.display(), self.addr.port());
        format!(
            "pid {dir}/pid; error_log {dir}/error.log; worker_processes 2; worker_rlimit_nofile 20000;
             events {{ worker_connections 8192; }}
             http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {dir}/1;
               proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4;
               scgi_temp_path {dir}/5; {directives}
               upstream b {{ {servers} keepalive 32; }}
               server {{ listen {port}; location / {{ proxy_pass http://b; proxy_http_version 1.1;
                 proxy_set_header Connection \"\"; proxy_max_temp_file_size 0; }} }} }}"
        )
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.stop();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
