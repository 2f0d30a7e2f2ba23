//! A real Squid, with a configuration of its own.

use super::Upstream;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The longest time that it takes to begin.
const BEGIN: Duration = Duration::from_secs(30);

/// Ends when it is dropped. To it `upstream.test` is this machine, and tunnels lead to
/// `tls_port` only.
pub struct Squid {
    /// Its address, `127.0.0.1:PORT`.
    pub address: String,
    process: Child,
    _folder: TempDir,
}

impl Squid {
    /// One that forbids the host `forbidden.test`.
    pub fn start(tls_port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // As root it changes to a user of its own.
        let everybody = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), everybody).unwrap();
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let hosts = folder.path().join("hosts");
        std::fs::write(&hosts, "127.0.0.1 upstream.test forbidden.test\n").unwrap();
        let config = format!(
            "http_port {address}\nvisible_hostname squid.test\nhosts_file {}\n\
             acl tunnels port {tls_port}\nacl CONNECT method CONNECT\n\
             acl forbidden dstdomain forbidden.test\nhttp_access deny forbidden\n\
             http_access deny CONNECT !tunnels\nhttp_access allow all\ncache deny all\n\
             access_log none\ncache_log /dev/null\npid_filename none\npinger_enable off\n\
             shutdown_lifetime 0 seconds\nnetdb_filename none\n",
            hosts.display()
        );
        let path = folder.path().join("squid.conf");
        std::fs::write(&path, config).unwrap();
        let process = Command::new(program())
            .args(["-N", "-f", path.to_str().unwrap()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let squid = Self {
            address,
            process,
            _folder: folder,
        };
        let begun = Instant::now();
        while TcpStream::connect(&squid.address).is_err() {
            assert!(begun.elapsed() < BEGIN, "squid does not begin");
            std::thread::sleep(Duration::from_millis(50));
        }
        squid
    }

    /// The URL at which it reaches an upstream of plain http.
    pub fn url_of(upstream: &Upstream) -> String {
        upstream.url().replace("127.0.0.1", "upstream.test")
    }
}

impl Drop for Squid {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Distributions have it in `sbin`, which is not always on `PATH`.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = [
        "/usr/sbin",
        "/usr/local/sbin",
        "/run/current-system/profile/sbin",
    ];
    let folders = std::env::split_paths(&path).chain(system.map(PathBuf::from));
    let mut programs = folders.map(|folder| folder.join("squid"));
    let found = programs.find(|program| program.is_file());
    found.expect("squid is not installed")
}
