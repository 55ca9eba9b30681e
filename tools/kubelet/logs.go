package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// poll is how late a followed log's new lines are seen.
const poll = 20 * time.Millisecond

func (on node) serveLog(w http.ResponseWriter, r *http.Request) {
	directory, err := on.directory(pod(r), r.PathValue("container"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	file, err := os.OpenFile(directory+".log", os.O_RDONLY|os.O_CREATE, 0o644)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer file.Close()
	query := r.URL.Query()
	w.Header().Set("Content-Type", "text/plain")
	if lines, err := strconv.Atoi(query.Get("tailLines")); err == nil {
		if err := seekTail(file, lines); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	follow, _ := strconv.ParseBool(query.Get("follow"))
	for {
		if _, err := io.Copy(w, file); err != nil {
			return
		}
		if !follow {
			return
		}
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(poll):
		}
	}
}

// seekTail goes to where the last lines begin.
func seekTail(file *os.File, lines int) error {
	all, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	at := len(bytes.TrimSuffix(all, []byte("\n")))
	for ; lines > 0 && at > 0; lines-- {
		at = bytes.LastIndexByte(all[:at], '\n')
	}
	_, err = file.Seek(int64(at+1), io.SeekStart)
	return err
}
