// A Velero object store that keeps plain files. Velero starts it as a plugin; `object-store serve FOLDER ADDRESS` is the
// HTTP server for its download URLs, which have no signature.
package main

import (
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		log.Fatal(http.ListenAndServe(os.Args[3], http.FileServer(http.Dir(os.Args[2]))))
	}
	framework.NewServer().
		RegisterObjectStore("testbed.local/files", func(logrus.FieldLogger) (any, error) { return &store{}, nil }).
		Serve()
}

type store struct{ folder, url string }

func (s *store) Init(config map[string]string) error {
	s.folder, s.url = config["folder"], config["url"]
	if s.folder == "" || s.url == "" {
		return errors.New("the location's config must have folder and url")
	}
	return nil
}

func (s *store) file(bucket, key string) string {
	return filepath.Join(s.folder, bucket, filepath.FromSlash(key))
}

func (s *store) PutObject(bucket, key string, body io.Reader) error {
	file := s.file(bucket, key)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	// Renamed when it is whole: the server may be killed at any time.
	part, err := os.CreateTemp(s.folder, "part-*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	_, err = io.Copy(part, body)
	if err = errors.Join(err, part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), file)
}

func (s *store) ObjectExists(bucket, key string) (bool, error) {
	_, err := os.Stat(s.file(bucket, key))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (s *store) GetObject(bucket, key string) (io.ReadCloser, error) {
	return os.Open(s.file(bucket, key))
}

func (s *store) ListObjects(bucket, prefix string) ([]string, error) {
	var keys []string
	root := filepath.Join(s.folder, bucket)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if key := filepath.ToSlash(relative); strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return keys, nil
	}
	return keys, err
}

func (s *store) ListCommonPrefixes(bucket, prefix, delimiter string) ([]string, error) {
	keys, err := s.ListObjects(bucket, prefix)
	var prefixes []string
	seen := map[string]bool{}
	for _, key := range keys {
		rest := strings.TrimPrefix(key, prefix)
		if at := strings.Index(rest, delimiter); at >= 0 {
			if found := prefix + rest[:at+len(delimiter)]; !seen[found] {
				seen[found] = true
				prefixes = append(prefixes, found)
			}
		}
	}
	return prefixes, err
}

func (s *store) DeleteObject(bucket, key string) error {
	return os.Remove(s.file(bucket, key))
}

func (s *store) CreateSignedURL(bucket, key string, _ time.Duration) (string, error) {
	return s.url + "/" + bucket + "/" + key, nil
}
