//! The substitute server's side: what a Guix build farm serves. Knows no IPFS.
