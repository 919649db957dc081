//! Engines that are shared libraries: finding their functions, and identifying such a file in a trace.

use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// Declares `struct Api` with functions that a library must have, with their names and signatures in C.
macro_rules! functions {
    ($($name:ident($($parameter:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        /// The functions of one library, all present.
        #[allow(non_snake_case, reason = "they are named as in C")]
        pub(super) struct Api {
            $(pub(super) $name: unsafe extern "C" fn($($parameter),*) $(-> $result)?,)*
            library: libloading::Library,
        }

        impl Api {
            /// Finds the functions in a library.
            ///
            /// # Errors
            /// The name of the first missing function.
            ///
            /// # Safety
            /// Functions of these names must have these signatures.
            pub(super) unsafe fn of(library: libloading::Library) -> Result<Api, &'static str> {
                Ok(Api {
                    $($name: {
                        // SAFETY: the caller vouches for the signature. The pointer is copied out of the symbol and
                        // does not outlive the library, which is in the same struct.
                        let symbol = unsafe { library.get(stringify!($name)) };
                        *symbol.map_err(|_| stringify!($name))?
                    },)*
                    library,
                })
            }

            /// A function that not every such library has.
            ///
            /// # Safety
            /// `F` must be the type of a pointer to that function.
            pub(super) unsafe fn extra<F: Copy>(&self, name: &str) -> Option<F> {
                // SAFETY: the caller vouches for the type.
                unsafe { self.library.get::<F>(name) }.ok().map(|symbol| *symbol)
            }
        }
    };
}

/// Declares `struct Functions` with functions that only some libraries have, found all together or not at all. Their
/// signatures are those in C.
macro_rules! extra_functions {
    ($(#[$about:meta])* $($field:ident: $name:literal ($($parameter:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        $(#[$about])*
        pub(super) struct Functions {
            $($field: unsafe extern "C" fn($($parameter),*) $(-> $result)?,)*
        }

        impl Functions {
            pub(super) fn of(api: &Api) -> Option<Functions> {
                // SAFETY: whoever declares a function vouches for its signature.
                unsafe { Some(Functions { $($field: api.extra($name)?,)* }) }
            }
        }
    };
}

pub(super) use extra_functions;
pub(super) use functions;

/// Loads a library.
///
/// # Errors
/// In words, with its path.
pub(super) fn load(path: &Path) -> Result<libloading::Library, String> {
    // SAFETY: loading a library runs its code, which the user asks for by naming it; and this process exists for
    // nothing else.
    let library = unsafe { libloading::Library::new(path) };
    library.map_err(|error| format!("loading the library {}: {error}", path.display()))
}

/// What identifies a library beyond its path: its file's name, length and a digest.
pub(super) fn identity(path: &Path) -> Vec<(String, String)> {
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let mut known = vec![("library".to_string(), name)];
    if let Ok(bytes) = std::fs::read(path) {
        known.push(("library_bytes".to_string(), bytes.len().to_string()));
        known.push(("library_xxh3".to_string(), format!("{:016x}", xxh3_64(&bytes))));
    }
    known
}
