;; The package of this checkout, for `guix build -f` and `guix package -f`:
;;
;;   guix package -f scripts/setup/guix-ipfs.scm
;;
;; Its crates and their hashes are those of Cargo.lock, so there is no list to keep up.
;; It needs Rust 1.88: `rust-1.88` below, where the `rust` of your Guix is older. Where
;; there is no `rust-1.88` any more, `rust` will do.

(use-modules (gnu packages rust)
             (guix base16)
             (guix build-system cargo)
             (guix gexp)
             (guix git-download)
             (guix packages)
             (guix download)
             ((guix licenses) #:prefix license:)
             (ice-9 rdelim)
             (ice-9 regex)
             (srfi srfi-1))

(define checkout
  (dirname (dirname (dirname (canonicalize-path (current-filename))))))

(define (value line key)
  "The text between quotes on LINE, if it assigns to KEY."
  (let ((found (string-match (string-append "^" key " = \"([^\"]*)\"$") line)))
    (and found (match:substring found 1))))

(define (crate name version checksum)
  "The source of a crate of the registry."
  (origin
    (method url-fetch)
    (uri (crate-uri name version))
    (file-name (string-append "rust-" name "-" version ".tar.gz"))
    (sha256 (base16-string->bytevector checksum))))

(define (locked-crates file)
  "The sources of all crates that FILE, a Cargo.lock, takes from the registry."
  (call-with-input-file file
    (lambda (port)
      (let loop ((name #f) (version #f) (crates '()))
        (let ((line (read-line port)))
          (cond ((eof-object? line) (reverse crates))
                ((value line "name") => (lambda (name) (loop name #f crates)))
                ((and name (not version) (value line "version"))
                 => (lambda (version) (loop name version crates)))
                ((and name version (value line "checksum"))
                 => (lambda (checksum)
                      (loop #f #f (cons (crate name version checksum) crates))))
                (else (loop name version crates))))))))

(package
  (name "guix-ipfs")
  (version "0.1.0")
  (source (local-file checkout "guix-ipfs-checkout"
                      #:recursive? #t
                      #:select? (git-predicate checkout)))
  (build-system cargo-build-system)
  (arguments
   (list #:rust rust-1.88
         ;; Of a checkout with its tests nothing is to be installed but the program.
         #:install-source? #f
         #:phases
         #~(modify-phases %standard-phases
             (add-after 'install 'install-manual-and-completions
               (lambda _
                 (let ((program (string-append #$output "/bin/guix-ipfs"))
                       (share (string-append #$output "/share")))
                   (define (write-output file . arguments)
                     (mkdir-p (dirname file))
                     (with-output-to-file file
                       (lambda () (apply invoke program arguments))))
                   (write-output (string-append share "/man/man1/guix-ipfs.1") "man")
                   (write-output (string-append #$output "/etc/bash_completion.d/guix-ipfs")
                                 "completions" "bash")
                   (write-output (string-append share "/fish/vendor_completions.d/guix-ipfs.fish")
                                 "completions" "fish")
                   (write-output (string-append share "/zsh/site-functions/_guix-ipfs")
                                 "completions" "zsh")))))))
  (inputs (locked-crates (string-append checkout "/Cargo.lock")))
  (home-page #f)
  (synopsis "Mirror a Guix substitute server into IPFS")
  (description
   "guix-ipfs mirrors a GNU Guix substitute server into an IPFS directory and keeps that
directory published under an IPNS name.  Whoever runs an IPFS node can then take
substitutes from it.")
  (license (list license:expat license:asl2.0)))
