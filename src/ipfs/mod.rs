//! The DAG formats: bytes in, bytes out, no network and no disk.
