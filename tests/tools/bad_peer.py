"""bad_peer: accepts connections and then is no server: close, reset, silence, garbage, http or cut (a proxy that breaks
off: cut N PORT passes N bytes of answers on from PORT). Prints its port; ends with its standard input."""
import socket
import struct
import sys
import threading


def cut(peer, left, port):
    server = socket.create_connection(("127.0.0.1", port))

    def up():
        try:
            while data := peer.recv(65536):
                server.sendall(data)
        except OSError:
            pass

    threading.Thread(target=up, daemon=True).start()
    while left > 0 and (data := server.recv(min(left, 65536))):
        peer.sendall(data)
        left -= len(data)
    server.close()
    peer.shutdown(socket.SHUT_RDWR)  # close alone waits for the other thread


def serve(peer, how):
    try:
        if how == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == "silence":
            while peer.recv(4096):
                pass
        elif how == "garbage":
            peer.sendall(bytes(range(256)) * 4096)
        elif how == "http":
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        elif how == "cut":
            cut(peer, int(sys.argv[2]), int(sys.argv[3]))
    except OSError:
        pass
    peer.close()


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=lambda: (sys.stdin.read(), __import__("os")._exit(0)), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=serve, args=(peer, sys.argv[1]), daemon=True).start()


main()
