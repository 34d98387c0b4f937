//! What a server must have before it listens where others reach it.

use crate::config::Config;
use std::net::SocketAddr;

/// `Err` is one sentence that says what to do. `has_admin`: there is somebody who may do everything.
pub(crate) fn check(config: &Config, address: SocketAddr, has_admin: bool) -> Result<(), String> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    if !config.insecure_no_auth {
        if !config.auth {
            return Err(format!(
                "{address} can be reached by others, who could read and delete everything: add --auth and \
                 --admin-password, or --insecure-no-auth if that is meant"
            ));
        }
        if !has_admin {
            return Err(format!(
                "{address} can be reached by others, and whoever comes first could make himself the administrator: add \
                 --admin-password, or start once on 127.0.0.1 and run `isopoint user create NAME --admin`"
            ));
        }
    }
    if config.tls.is_none() && !config.insecure_no_tls {
        return Err(format!(
            "{address} can be reached by others, and passwords and data would cross the network in the clear: add \
             --tls-cert and --tls-key, or --insecure-no-tls if that is meant, such as behind a proxy that has TLS"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::tls::TlsFiles;

    #[test]
    fn only_this_machine_is_served_without_credentials() {
        let mut config = Config::resolve(Settings::default(), None).unwrap();
        let said = |config: &Config, address: &str, has_admin| {
            check(config, address.parse().unwrap(), has_admin).err().unwrap_or_default()
        };
        assert_eq!(said(&config, "127.0.0.1:1", false), "");
        assert_eq!(said(&config, "[::1]:1", false), "");
        for open in ["0.0.0.0:1", "[::]:1", "10.0.0.7:1"] {
            assert!(said(&config, open, false).contains("--insecure-no-auth"), "{open}");
        }
        config.auth = true;
        assert!(said(&config, "0.0.0.0:1", false).contains("--admin-password"));
        assert!(said(&config, "0.0.0.0:1", true).contains("--insecure-no-tls"));
        config.tls = Some(TlsFiles { certificate: "c".into(), key: "k".into(), client_ca: None });
        assert_eq!(said(&config, "0.0.0.0:1", true), "");
        config.tls = None;
        (config.auth, config.insecure_no_auth, config.insecure_no_tls) = (false, true, true);
        assert_eq!(said(&config, "0.0.0.0:1", false), "");
    }
}
