"""A stand-in for prose-page: it serves the page's assets with the same headers and tells the stream whatever a test wants. What the server itself must do is
tested with the server."""
import http.server, json, os, queue, socket, threading

from tests.harness.paths import SOURCE

ASSETS = os.path.join(SOURCE, 'apps', 'page', 'assets')
TYPES = {'.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml'}
HELLO = {'carrier': {'prb': 25, 'tm': 2, 'cp': 'normal'}, 'rate': 7.68e6, 'frequency': 5.9e9, 'bins': 256, 'row_s': 0.002,
         'actions': ['send', 'file', 'withdraw', 'restart', 'jam', 'steal'], 'names': ['mary', 'john', 'peter']}


class Stage:
    def __init__(self, hello=None, port=0):
        self.hello, self.kept, self.clients, self.actions, self.answer = hello or HELLO, [], [], [], {'ok': True}
        self.lock = threading.Lock()
        stage = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *_):
                pass

            def head(self, code, kind, length=None):
                self.send_response(code)
                self.send_header('Content-Type', kind)
                self.send_header('Content-Security-Policy', "default-src 'self'")
                self.send_header('X-Content-Type-Options', 'nosniff')
                self.send_header('Cache-Control', 'no-store')
                self.send_header('Connection', 'close')
                if length is not None:
                    self.send_header('Content-Length', str(length))
                self.end_headers()

            def body(self, code, kind, octets):
                self.close_connection = True  # or leave() would leave a thread that answers
                self.head(code, kind, len(octets))
                self.wfile.write(octets)

            def do_GET(self):
                if self.path == '/stream':
                    return self.stream()
                name = 'index.html' if self.path == '/' else self.path[1:]
                place = os.path.join(ASSETS, name)
                if '/' in name or not os.path.isfile(place):
                    return self.body(404, 'text/plain', b'')
                with open(place, 'rb') as f:
                    self.body(200, TYPES[os.path.splitext(name)[1]] + '; charset=utf-8', f.read())

            def stream(self):
                self.close_connection = True
                self.head(200, 'text/event-stream')
                mine = queue.Queue()
                with stage.lock:
                    for line in [stage.line('hello', stage.hello), *stage.kept]:
                        mine.put(line)
                    stage.clients.append((mine, self.connection))
                try:
                    for line in iter(mine.get, None):
                        self.wfile.write(line)
                        self.wfile.flush()
                except OSError:
                    pass

            def do_POST(self):
                said = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
                stage.actions.append(said)
                self.body(200 if stage.answer['ok'] else 400, 'application/json', json.dumps(stage.answer).encode())

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a browser that leaves

        self.server = Server(('127.0.0.1', port), Handler)
        self.port = self.server.server_address[1]
        self.address = 'http://127.0.0.1:%d/' % self.port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @staticmethod
    def line(name, data):
        return ('event: %s\ndata: %s\n\n' % (name, json.dumps(data))).encode()

    def tell(self, name, data):
        """To those who listen, and to those who come later."""
        with self.lock:
            self.kept.append(self.line(name, data))
            for mine, _ in self.clients:
                mine.put(self.kept[-1])

    def leave(self):
        """The server is gone: no streams, no answers."""
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for mine, connection in self.clients:
                mine.put(None)
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.clients = []
