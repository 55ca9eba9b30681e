package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// node is the directory of all containers, and what runs in each.
type node struct {
	root string
	main []string
}

var _ remotecommand.Executor = node{}
var _ remotecommand.Attacher = node{}

// directory is the container's; names are the API server's, which knows no separators in them.
func (on node) directory(pod, container string) (string, error) {
	path := filepath.Join(on.root, pod, container)
	if container == "" || !strings.HasPrefix(path, filepath.Clean(on.root)+string(filepath.Separator)) {
		return "", fmt.Errorf("no container %q in %q", container, pod)
	}
	return path, os.MkdirAll(path, 0o755)
}

func (on node) ExecInContainer(
	ctx context.Context, pod, _, container string, argv []string, in io.Reader, out, err io.WriteCloser,
	tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration,
) error {
	return on.run(ctx, pod, container, argv, in, out, err, tty, resize)
}

func (on node) AttachContainer(
	ctx context.Context, pod, _, container string, in io.Reader, out, err io.WriteCloser,
	tty bool, resize <-chan remotecommand.TerminalSize,
) error {
	return on.run(ctx, pod, container, on.main, in, out, err, tty, resize)
}

func (on node) run(
	ctx context.Context, pod, container string, argv []string, in io.Reader, out, errors io.WriteCloser,
	tty bool, resize <-chan remotecommand.TerminalSize,
) error {
	directory, err := on.directory(pod, container)
	if err != nil {
		return err
	}
	if len(argv) == 0 {
		return fmt.Errorf("nothing to run")
	}
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Dir = directory
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + directory, "TERM=xterm", "LC_ALL=C.UTF-8"}
	// Whoever inherited its streams must not keep it from ending.
	command.WaitDelay = time.Second
	if tty {
		return onTerminal(command, in, out, resize)
	}
	return onPipes(command, in, out, errors)
}

// onPipes does not wait for the input: a program may end without having read it.
func onPipes(command *exec.Cmd, in io.Reader, out, errors io.WriteCloser) error {
	if out != nil {
		command.Stdout = out
	}
	if errors != nil {
		command.Stderr = errors
	}
	if in != nil {
		stdin, err := command.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			defer stdin.Close()
			io.Copy(stdin, in) //nolint:errcheck // The program has ended, or the client has.
		}()
	}
	if err := command.Start(); err != nil {
		return exited(err)
	}
	return exited(command.Wait())
}

func onTerminal(command *exec.Cmd, in io.Reader, out io.WriteCloser, resize <-chan remotecommand.TerminalSize) error {
	terminal, err := pty.Start(command)
	if err != nil {
		return exited(err)
	}
	defer terminal.Close()
	go func() {
		for size := range resize {
			pty.Setsize(terminal, &pty.Winsize{Rows: size.Height, Cols: size.Width}) //nolint:errcheck // It is gone.
		}
	}()
	if in != nil {
		go io.Copy(terminal, in) //nolint:errcheck // The program has ended, or the client has.
	}
	var shown sync.WaitGroup
	if out != nil {
		// A terminal's reader sees EIO when its last program has ended.
		shown.Go(func() { io.Copy(out, terminal) }) //nolint:errcheck
	}
	err = command.Wait()
	shown.Wait()
	return exited(err)
}

// exited says how a program ended in the library's terms; one that could not be started ended as a shell would say.
func exited(err error) error {
	if err == nil {
		return nil
	}
	if ended, ok := err.(*exec.ExitError); ok {
		return utilexec.CodeExitError{Err: err, Code: ended.ExitCode()}
	}
	return err
}

// PortForward joins a stream to a port of this machine, until both sides are done.
func (on node) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer connection.Close()
	go func() {
		io.Copy(connection, stream)            //nolint:errcheck // Whoever left first ends it.
		connection.(*net.TCPConn).CloseWrite() //nolint:errcheck
	}()
	_, err = io.Copy(stream, connection)
	return err
}
