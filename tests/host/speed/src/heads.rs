// SPDX-License-Identifier: GPL-2.0

//! Heads as clients send them.

/// curl's.
pub(crate) const CURL: &str =
    "GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.14.1\r\n\
    Accept: */*\r\n\r\n";

/// That of a browser which follows a link.
pub(crate) const BROWSER: &str =
    "GET /examples/servlets/servlet/SessionExample?dataname=foo&datavalue=bar HTTP/1.1\r\n\
    Host: www.example.org:8080\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,\
    image/svg+xml,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: http://www.example.org:8080/examples/servlets/\r\n\
    Connection: keep-alive\r\n\
    Cookie: JSESSIONID=0123456789ABCDEF0123456789ABCDEF; theme=dark; \
    _ga=GA1.1.1234567890.1234567890\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-User: ?1\r\n\
    Priority: u=0, i\r\n\r\n";

/// That of another one, with all that it has to say about itself.
pub(crate) const TWENTY: &str = "GET /assets/app/main.8f3b2c1d.js HTTP/1.1\r\n\
    Host: www.example.org\r\n\
    Connection: keep-alive\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/142.0.0.0 Safari/537.36\r\n\
    sec-ch-ua: \"Chromium\";v=\"142\", \"Google Chrome\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    Accept: */*\r\n\
    Origin: http://www.example.org\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: cors\r\n\
    Sec-Fetch-Dest: script\r\n\
    Referer: http://www.example.org/app/index.html\r\n\
    Accept-Encoding: gzip, deflate\r\n\
    Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n\
    Cookie: JSESSIONID=0123456789ABCDEF0123456789ABCDEF; consent=all\r\n\
    If-None-Match: \"5f3b-62c1d8a9b3f40\"\r\n\
    If-Modified-Since: Fri, 20 Nov 2026 10:11:12 GMT\r\n\
    DNT: 1\r\n\r\n";
