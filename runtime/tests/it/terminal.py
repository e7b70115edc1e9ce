# A terminal for one program: what the program prints goes to standard output, and each line of standard input is an order.
#
#     key HEX     type these bytes
#     modes       say whether the terminal gathers lines and echoes: [canonical=1 echo=1]
#     state       say whether the program runs or was stopped: [state=S]
#     signal N    send the program a signal
#
# Begins with [pid=N], ends with [exit=CODE canonical=1 echo=1].
import os, pty, select, signal, struct, fcntl, sys, termios

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))


def say(text):
    sys.stdout.buffer.write(text if isinstance(text, bytes) else text.encode())
    sys.stdout.buffer.flush()


def modes():
    local = termios.tcgetattr(terminal)[3]
    return f"canonical={int(bool(local & termios.ICANON))} echo={int(bool(local & termios.ECHO))}"


def obey(order):
    word, _, rest = order.partition(" ")
    if word == "key":
        os.write(terminal, bytes.fromhex(rest))
    elif word == "modes":
        say(f"[{modes()}]\n")
    elif word == "state":
        say(f"[state={open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[0]}]\n")
    elif word == "signal":
        os.kill(pid, int(rest))


say(f"[pid={pid}]\n")
orders, gathered = True, b""
while True:
    ready, _, _ = select.select([terminal] + ([sys.stdin] if orders else []), [], [], 0.1)
    if terminal in ready:
        try:
            say(os.read(terminal, 65536))
        except OSError:
            pass
    if sys.stdin in ready:
        bytes_read = os.read(0, 4096)
        orders = bool(bytes_read)
        if not orders:
            os.kill(pid, signal.SIGKILL)
        *lines, gathered = (gathered + bytes_read).split(b"\n")
        for line in lines:
            obey(line.decode())
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        # What it printed last.
        while select.select([terminal], [], [], 0)[0]:
            try:
                say(os.read(terminal, 65536))
            except OSError:
                break
        say(f"[exit={os.waitstatus_to_exitcode(status)} {modes()}]\n")
        break
