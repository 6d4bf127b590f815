//! The contract's comments (注释), by where they stand.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, FileDescriptor};

/// Every leading comment of a descriptor set.
pub(super) struct Comments(HashMap<(String, Vec<i32>), String>);

impl Comments {
    pub(super) fn of(pool: &DescriptorPool) -> Self {
        let mut comments = HashMap::new();
        for file in pool.files() {
            let locations = file.file_descriptor_proto().source_code_info.as_ref().map(|info| info.location.as_slice());
            for location in locations.unwrap_or_default() {
                if let Some(comment) = &location.leading_comments {
                    comments.insert((file.name().to_owned(), location.path.clone()), unwrapped(comment));
                }
            }
        }
        Self(comments)
    }

    /// The comment at a path of a file; empty where there is none.
    pub(super) fn at(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        self.0.get(&(file.name().to_owned(), path.to_vec())).map_or("", String::as_str)
    }
}

/// A comment as paragraphs of one line each.
fn unwrapped(comment: &str) -> String {
    let lines: Vec<&str> = comment.lines().map(str::trim).collect();
    let paragraphs = lines.split(|line| line.is_empty()).filter(|lines| !lines.is_empty());
    paragraphs.map(|lines| lines.join(" ")).collect::<Vec<_>>().join("\n\n")
}
