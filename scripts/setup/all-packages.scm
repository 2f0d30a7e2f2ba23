;; The store paths of all packages of this Guix, one a line, for `sync --from -`:
;;
;;   guix repl scripts/setup/all-packages.scm | guix-ipfs sync --from -
;;
;; Options stand after the file, and then `--` before it; each may be repeated:
;;
;;   guix repl -- scripts/setup/all-packages.scm --system=aarch64-linux
;;   guix repl -- scripts/setup/all-packages.scm --manifest=manifest.scm
;;   guix repl -- scripts/setup/all-packages.scm --channel=nonguix
;;
;; Nothing is built or downloaded, but guix-daemon must run: each package is lowered to a
;; derivation, which is written to the store. `guix gc` removes the derivations again.

(use-modules (gnu packages)
             ((gnu packages commencement) #:select (%final-inputs))
             (guix channels)
             (guix derivations)
             (guix describe)
             (guix diagnostics)
             (guix gexp)
             (guix grafts)
             (guix i18n)
             (guix packages)
             (guix platform)
             (guix profiles)
             (guix progress)
             (guix scripts)
             (guix store)
             (guix ui)
             (ice-9 match)
             (srfi srfi-1)
             (srfi srfi-37))

(define (everything system)
  "All public packages, and those that no module exports and each build on SYSTEM needs."
  (append (all-packages) (map second (%final-inputs system))))

(define (packages-of-manifest file)
  "The packages of the manifest in FILE, with those that they propagate."
  (map manifest-entry-item
       (manifest-transitive-entries
        (load* file (make-user-module '((guix profiles) (gnu)))))))

(define (packages-of-channel name)
  "The packages that the channel called NAME defines."
  (define (defines? package)
    ;; Each package is said to come from `guix`, too.
    (match (map (compose symbol->string channel-name) (package-channels package))
      (("guix") (string=? name "guix"))
      (names (member name (delete "guix" names)))))

  (match (filter defines? (all-packages))
    (() (leave (G_ "no package comes from a channel '~a'; those of this Guix are:~{ ~a~}~%")
               name (map channel-name (current-channels))))
    (packages packages)))

(define options
  (list (option '(#\s "system") #t #f
                (lambda (option name system result)
                  (unless (member system (systems))
                    (leave (G_ "'~a' is not a supported system~%") system))
                  (alist-cons 'system system result)))
        (option '(#\m "manifest") #t #f
                (lambda (option name file result)
                  (alist-cons 'things (packages-of-manifest file) result)))
        (option '("channel") #t #f
                (lambda (option name channel result)
                  (alist-cons 'things (packages-of-channel channel) result)))))

(define (output-paths store thing system)
  "The paths of all outputs of THING, which is a package as a rule, on SYSTEM."
  (define (refuse . _)
    (leave (G_ "its outputs are known only after a build~%")))

  (match (and (or (not (package? thing)) (supported-package? thing system))
              (with-build-handler refuse
                (run-with-store store (lower-object thing system) #:system system)))
    (#f '())
    ;; What a server does not substitute would be owed in vain.
    ((? derivation? derivation)
     (if (substitutable-derivation? derivation)
         (map cdr (derivation->output-paths derivation))
         '()))
    ((? string? path) (list path))))

(define (output-paths* store thing system)
  "As `output-paths`, but empty where THING fails to lower, which is then told."
  (catch #t
    (lambda ()
      (with-error-handling (output-paths store thing system)))
    (lambda (key . arguments)
      ;; Where the daemon is gone, this ends the script.
      (set-build-options store)
      (unless (eq? key 'quit)
        (print-exception (current-error-port) #f key arguments))
      (warning (G_ "~a for ~a is passed over~%")
               (if (package? thing) (package-full-name thing "@") thing) system)
      '())))

(define (print-paths store things system)
  "Prints the paths of those of THINGS that exist for SYSTEM, each once."
  (define printed (make-hash-table))
  (define progress
    (if (isatty? (current-error-port))
        (progress-reporter/bar (length things) system)
        progress-reporter/silent))

  (call-with-progress-reporter progress
    (lambda (report)
      (for-each (lambda (thing)
                  (for-each (lambda (path)
                              (unless (hash-ref printed path)
                                (hash-set! printed path #t)
                                (format #t "~a~%" path)))
                            (output-paths* store thing system))
                  (report))
                things))))

(define (refuse-argument argument _)
  (leave (G_ "~a: extraneous argument~%") argument))

(let* ((given (parse-command-line (cdr (command-line)) options '(())
                                  #:build-options? #f
                                  #:argument-handler refuse-argument))
       (values-of (lambda (key)
                    (filter-map (match-lambda
                                  ((name . value) (and (eq? name key) value)))
                                (reverse given))))
       (things-for (match (values-of 'things)
                     (() everything)
                     (lists (const (concatenate lists)))))
       (systems (match (values-of 'system)
                  (() (list (%current-system)))
                  (systems systems))))
  ;; A build farm builds without grafts; they are made on the user's machine.
  (parameterize ((%graft? #f))
    (for-each (lambda (system)
                (with-store store
                  (print-paths store (things-for system) system)))
              systems)))
