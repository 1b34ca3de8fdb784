//! Is a tree loadable as `/`? Closes over the tree itself, as the loader would
//! see it, and compares with what was planned.
