//! Failures as JavaScript sees them: `Error` objects with a `code`.

use isopoint_core::dialect::influx::frames::Refused;
use isopoint_core::exec::QueryError;
use isopoint_core::extent::FULL;
#[cfg(feature = "full")]
use isopoint_core::store::WriteError;
use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;

pub(crate) struct Fault {
    code: &'static str,
    message: String,
}

impl Fault {
    pub(crate) fn request(message: &str) -> Self {
        Self { code: "request", message: message.to_owned() }
    }

    pub(crate) fn damaged(message: &str) -> Self {
        Self { code: "damaged", message: message.to_owned() }
    }

    /// The full module can do it, or say why not.
    fn beyond() -> Self {
        Self { code: "beyond", message: "this takes the full module".to_owned() }
    }
}

impl From<QueryError> for Fault {
    fn from(error: QueryError) -> Self {
        match error {
            _ if !FULL => Self::beyond(),
            error => Self::request(&error.to_string()),
        }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Words(words) => Self::request(&words),
            Refused::Beyond => Self::beyond(),
        }
    }
}

#[cfg(feature = "full")]
impl From<WriteError> for Fault {
    fn from(error: WriteError) -> Self {
        Self::request(&error.to_string())
    }
}

impl From<Fault> for JsValue {
    fn from(fault: Fault) -> Self {
        let error = Error::new(&fault.message);
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&error, &Self::from_str("code"), &Self::from_str(fault.code));
        error.into()
    }
}
