//! Secrets of data sources at rest: AES-256-GCM under a key that lies in a file of its own.
//!
//! ```text
//! sealed:  00  u8       1, the format
//!          01  [u8;12]  nonce, random
//!          13  …        ciphertext and 16 bytes of tag; the context is authenticated with it
//! key file: 64 hexadecimal digits and a line feed, mode 0600
//! ```
//!
//! **Another key**: the new key is first written beside the old one as `<file>.next`, then every secret is sealed anew in
//! one change of the catalog, then the new file takes the old one's name. Until that is through both keys open, so that a
//! crash in between loses nothing; the next start finishes it.

use crate::host::{Host, clock};
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use isopoint_core::catalog::Command;
use isopoint_core::dialect::grafana;
use isopoint_core::dialect::sealer::Sealer;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const FORMAT: u8 = 1;
const NONCE: usize = 12;

/// Seals with one key and opens with any it knows.
pub(crate) struct KeySealer {
    keys: Vec<Aes256Gcm>,
}

impl std::fmt::Debug for KeySealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeySealer")
    }
}

impl KeySealer {
    fn new(keys: &[[u8; 32]]) -> Self {
        Self { keys: keys.iter().map(|key| Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))).collect() }
    }
}

impl Sealer for KeySealer {
    fn seal(&self, plain: &[u8], context: &[u8]) -> Vec<u8> {
        let [nonce @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = clock::entropy();
        let cipher = self.keys.first().expect("a sealer is made with a key");
        let payload = Payload { msg: plain, aad: context };
        let sealed = cipher.encrypt(&Nonce::from(nonce), payload).expect("a secret is shorter than 64 GiB");
        [&[FORMAT][..], &nonce, &sealed].concat()
    }

    fn open(&self, sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let (format, rest) = sealed.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
        if *format != FORMAT {
            return None;
        }
        let open =
            |cipher: &Aes256Gcm| cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: context }).ok();
        self.keys.iter().find_map(open)
    }
}

/// Where the key lies, in the data folder.
pub(crate) fn key_file(data: &Path) -> PathBuf {
    data.join("secrets.key")
}

/// The sealer of a key file, which is made when there is none. A change of keys that a crash cut short is finished.
pub(crate) async fn open(file: &Path, host: &Host) -> Result<KeySealer, String> {
    let key = match read(file)? {
        Some(key) => key,
        None => {
            let key = clock::entropy();
            write(file, &key)?;
            key
        }
    };
    match read(&next(file))? {
        Some(new) => {
            reseal(file, key, new, host).await?;
            Ok(KeySealer::new(&[new]))
        }
        None => Ok(KeySealer::new(&[key])),
    }
}

/// Puts all secrets under a new key; gives the number of data sources changed.
pub(crate) async fn rotate(file: &Path, host: &Host) -> Result<usize, String> {
    open(file, host).await?;
    let old = read(file)?.ok_or_else(|| format!("{}: there is no key", file.display()))?;
    let new = clock::entropy();
    write(&next(file), &new)?;
    reseal(file, old, new, host).await
}

async fn reseal(file: &Path, old: [u8; 32], new: [u8; 32], host: &Host) -> Result<usize, String> {
    // Some may be under the new key already.
    let (old, new) = (KeySealer::new(&[old, new]), KeySealer::new(&[new]));
    let changes = grafana::reseal(&host.snapshot(), &old, &new).map_err(|name| {
        format!("the secrets of data source {name:?} do not open with the key in {}", file.display())
    })?;
    let count = changes.changes.len();
    host.command(Command::Documents(changes)).await.map_err(|error| error.to_string())?;
    fs::rename(next(file), file)
        .and_then(|()| sync_folder(file))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(count)
}

fn next(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".next");
    name.into()
}

fn read(file: &Path) -> Result<Option<[u8; 32]>, String> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    let text = text.trim();
    let mut key = [0; 32];
    let whole = text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    for (at, byte) in key.iter_mut().enumerate().filter(|_| whole) {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("the digits were looked at");
    }
    if whole { Ok(Some(key)) } else { Err(format!("{}: not a key of 64 hexadecimal digits", file.display())) }
}

/// Writes a key where none is, for the owner's eyes only, and makes it durable.
fn write(file: &Path, key: &[u8; 32]) -> Result<(), String> {
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Under another name first: a key that was cut short would be taken for a damaged one.
    let mut begun = file.as_os_str().to_owned();
    begun.push(".new");
    let begun = PathBuf::from(begun);
    let _ = fs::remove_file(&begun);
    let written = options.open(&begun).and_then(|mut out| {
        out.write_all(format!("{digits}\n").as_bytes())?;
        out.sync_all()
    });
    written
        .and_then(|()| fs::rename(&begun, file))
        .and_then(|()| sync_folder(file))
        .map_err(|error| format!("{}: {error}", file.display()))
}

fn sync_folder(file: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = file.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_with_its_key_and_context_only() {
        let (one, other) = (KeySealer::new(&[[1; 32]]), KeySealer::new(&[[2; 32]]));
        let sealed = one.seal(b"s3cret", b"datasource/1/password");
        assert_eq!(one.open(&sealed, b"datasource/1/password").as_deref(), Some(&b"s3cret"[..]));
        assert_eq!(one.open(&sealed, b"datasource/2/password"), None);
        assert_eq!(other.open(&sealed, b"datasource/1/password"), None);
        assert_eq!(
            KeySealer::new(&[[2; 32], [1; 32]]).open(&sealed, b"datasource/1/password").as_deref(),
            Some(&b"s3cret"[..])
        );
        assert_ne!(sealed, one.seal(b"s3cret", b"datasource/1/password"));
        (0..sealed.len()).for_each(|len| assert_eq!(one.open(&sealed[..len], b"datasource/1/password"), None));
        assert!(!sealed.windows(6).any(|window| window == b"s3cret"));
    }

    #[test]
    fn a_key_file_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let file = key_file(folder.path());
        assert_eq!(read(&file), Ok(None));
        write(&file, &[7; 32]).unwrap();
        assert_eq!(read(&file), Ok(Some([7; 32])));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(&file, "short").unwrap();
        assert!(read(&file).is_err());
    }
}
