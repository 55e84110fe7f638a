vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "8001"; .max_connections = 10000; }
sub vcl_recv {
    if (req.url ~ "^/c/") { return (hash); }
    return (pass);
}
sub vcl_backend_response { set beresp.ttl = 1h; return (deliver); }
