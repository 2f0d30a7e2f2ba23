//! The embedded offline node: block store, pins, names, RPC server, gateway.
