//! Reading what may be broken (损坏): some of what a file says is asserted, not checked, by the crate that reads it. That is caught,
//! and told as an error alone: the process's panic hook would tell of it as of a mistake of ours.

use std::{
    any::Any,
    cell::Cell,
    io,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

use crate::register::OpenError;

thread_local! {
    /// Whether a panic of this thread is caught, and told elsewhere.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Has the panic hook that there is hear of no panic that is caught here; of every other it does, of other threads too.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |panic| {
            if !CAUGHT.get() {
                loud(panic);
            }
        }));
    });
}

/// Does what may panic where a file is broken.
pub(super) fn unbroken<T>(read: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
    keep_quiet();
    let before = CAUGHT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(read));
    CAUGHT.set(before);
    done.unwrap_or_else(|panic| Err(broken(said(&*panic))))
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it is broken")
}

pub(super) fn broken(why: &str) -> OpenError {
    io::Error::new(io::ErrorKind::InvalidData, format!("the Parquet file is broken: {why}")).into()
}

#[cfg(test)]
mod tests {
    use super::{CAUGHT, unbroken};
    use crate::register::OpenError;

    #[test]
    fn what_is_caught_is_told_as_an_error_and_nothing_else_is_quiet() {
        let caught = unbroken::<()>(|| {
            let other = std::thread::spawn(|| CAUGHT.get()).join().expect("it ends");
            assert!(CAUGHT.get() && !other, "other threads are loud");
            panic!("asserted");
        });
        assert!(caught.expect_err("it panicked").to_string().ends_with("broken: asserted"));
        assert!(!CAUGHT.get(), "this one is loud again");
        assert!(matches!(unbroken(|| Err::<(), _>(OpenError::Empty)), Err(OpenError::Empty)) && !CAUGHT.get());
    }
}
