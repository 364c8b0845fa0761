"""A server on this machine that misbehaves in many ways, one for each first part of the path: /cut/x, /changed/x."""

import socket
import struct
import threading
import time

DATA = bytes(range(256)) * 512  # 128 KiB
OTHER = bytes(reversed(range(256))) * 512  # another state of the same file, of the same length
HALF = len(DATA) // 2
PAGE = b"<html>please log in</html>"


class Server:
    """`asked` keeps (kind, Range, If-Range) of each request. It answers as a proxy, too."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.asked = []
        self.proxied = []  # the addresses that it was asked for as a proxy
        self.over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while not self.over.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def close(self):
        """No more requests."""
        self.over.set()
        self.socket.close()

    def _answer(self, connection):
        with connection:
            try:
                request = b""
                while b"\r\n\r\n" not in request:
                    more = connection.recv(65536)
                    if not more:
                        return  # only looked whether somebody is there
                    request += more
                first, *rows = request.decode("latin1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
                target = first.split()[1]
                if target.startswith("http://"):  # as a proxy is asked
                    self.proxied.append(target)
                    target = target.removeprefix("http://").partition("/")[2]
                kind = target.strip("/").partition("/")[0]
                number = sum(1 for entry in self.asked if entry[0] == kind)
                self.asked.append((kind, headers.get("range"), headers.get("if-range")))
                spread = headers.get("range", "")
                start = int(spread.removeprefix("bytes=").rstrip("-")) if spread else 0
                for piece in reply(kind, number, start, headers.get("if-range"), connection):
                    connection.sendall(piece)
            except OSError:
                pass


def head(status=200, **headers):
    """The head of a reply; underscores in names are hyphens."""
    headers = {"Connection": "close", "Content_Type": "application/octet-stream"} | headers
    rows = [f"HTTP/1.1 {status} Words"]
    rows += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(rows) + "\r\n\r\n").encode()


def whole(data=DATA, start=0, etag='"one"', **more):
    """A proper reply, of the rest from `start`."""
    facts = {"Content_Length": len(data) - start} | ({"ETag": etag} if etag else {}) | more
    if start:
        facts["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    return head(206 if start else 200, **facts) + data[start:]


def chunks(data, end=True):
    """Chunked transfer coding."""
    out = b"".join(b"%x\r\n%s\r\n" % (len(data[i : i + 9000]), data[i : i + 9000]) for i in range(0, len(data), 9000))
    return out + (b"0\r\n\r\n" if end else b"")


def reply(kind, number, start, if_range, connection):
    """The pieces to send to request `number` (from 0) of that kind."""
    again = number > 0
    cut = whole()[:-HALF]  # half of the file under a head that promises all of it
    match kind:
        case "good":
            yield whole(start=start)
        case "cut":
            yield whole(start=start) if again else cut
        case "cut-no-etag":
            yield whole(start=start, etag="") if again else whole(etag="")[:-HALF]
        case "cut-date":
            date = "Fri, 01 Jan 2021 00:00:00 GMT"
            yield (
                whole(start=start, etag="", Last_Modified=date) if again else whole(etag="", Last_Modified=date)[:-HALF]
            )
        case "cut-weak-etag":
            yield whole(start=start, etag='W/"one"') if again else whole(etag='W/"one"')[:-HALF]
        case "cut-always":
            yield cut
        case "cut-a-little":  # each time some more
            yield whole(start=start)[: -max(0, len(DATA) - start - 9000) or None]
        case "no-ranges":
            yield whole() if number > 1 else cut
        case "changed":  # honours If-Range
            yield (whole(OTHER, start if if_range == '"two"' else 0, '"two"')) if again else cut
        case "changed-ignored":  # the rest of another file, and says so
            yield whole(OTHER, start, '"two"') if again else cut
        case "changed-silent":  # the rest of another file, and does not say so
            yield whole(OTHER, start, "") if number == 1 else whole(etag="") if again else whole(etag="")[:-HALF]
        case "changed-length":
            yield whole(DATA + b"more", start, "") if start else whole(etag="") if number > 1 else cut
        case "wrong-place":
            yield head(206, ETag='"one"', Content_Range=f"bytes 7-99/{len(DATA)}") + DATA[7:] if again else cut
        case "no-place":
            yield head(206, ETag='"one"') + DATA[start:] if again else cut
        case "chunked":
            yield head(Transfer_Encoding="chunked", ETag='"one"') + chunks(DATA)
        case "chunked-cut":
            yield head(Transfer_Encoding="chunked", ETag='"one"') + chunks(DATA[:HALF], end=False)
        case "chunked-cut-inside":
            yield (head(Transfer_Encoding="chunked") + chunks(DATA))[:-5000]
        case "chunked-damaged":
            yield head(Transfer_Encoding="chunked") + chunks(DATA[:HALF], end=False) + b"zz\r\nnothing"
        case "chunked-lies":  # a Content-Length beside it
            yield head(Transfer_Encoding="chunked", Content_Length=10) + chunks(DATA[:HALF], end=False)
        case "no-length":
            yield head(ETag='"one"') + DATA
        case "no-length-cut":
            yield head(ETag='"one"') + DATA[:HALF]
        case "too-much":
            yield head(Content_Length=len(DATA), ETag='"one"') + DATA + b"more"
        case "too-much-promised":
            yield head(Content_Length=len(DATA) + 1000) + DATA
        case "negative":
            yield head(Content_Length=-5) + DATA[:HALF]
        case "gzip":
            yield whole(Content_Encoding="gzip")
        case "page":
            yield whole(PAGE, Content_Type="text/html")
        case "page-unnamed":
            yield whole(PAGE)
        case "flipped":
            yield whole(bytes([DATA[0] ^ 1]) + DATA[1:])
        case "no-content":
            yield head(204)
        case "loop":
            yield head(302, Location="/loop/x", Content_Length=0)
        case "to-file":
            yield head(302, Location="file:///etc/hostname", Content_Length=0)
        case "redirect":
            yield head(302, Location="/good/x", Content_Length=0)
        case "garbage":
            yield b"\x00\xff nothing of HTTP\r\n\r\n"
        case "headers-for-ever":
            yield b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200
        case "silent":
            time.sleep(1)
        case "drips":  # never long without a byte, and never done
            yield whole(start=start)[:-HALF]
            for _ in range(40):
                time.sleep(0.05)
                yield b"."
        case "stalls":
            yield whole(start=start) if again else cut
            time.sleep(0 if again else 1)
        case "reset":
            yield whole(start=start) if again else cut
            if not again:
                time.sleep(0.05)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case "500" | "503" | "429" | "408" if not again:
            yield head(int(kind), Content_Length=0)
        case "416":
            yield (
                head(416, Content_Range=f"bytes */{len(DATA)}", Content_Length=0)
                if start
                else (whole(etag="") if number > 1 else cut)
            )
        case "404" | "403" | "401" | "407" | "410" | "451":
            yield head(int(kind), Content_Length=0)
        case _:
            yield whole(start=start)
