;; The store paths of all packages of this Guix, one a line, for `sync --from -`:
;;
;;   guix repl scripts/setup/all-packages.scm | guix-ipfs sync --from -
;;
;; Options stand after the file, and then `--` before it:
;;
;;   guix repl -- scripts/setup/all-packages.scm --system=aarch64-linux
;;   guix repl -- scripts/setup/all-packages.scm --manifest=manifest.scm
;;   guix repl -- scripts/setup/all-packages.scm --channel=nonguix
;;
;; Nothing is built or downloaded, but guix-daemon must run: each package is lowered to a
;; derivation, which is written to the store. `guix gc` removes the derivations again.

(use-modules (gnu packages)
             (guix channels)
             (guix derivations)
             (guix describe)
             (guix diagnostics)
             (guix gexp)
             (guix grafts)
             (guix i18n)
             (guix packages)
             (guix profiles)
             (guix store)
             (guix ui)
             (ice-9 match)
             (srfi srfi-1)
             (srfi srfi-34)
             (srfi srfi-35)
             (srfi srfi-37))

(define (repeatable short name key)
  (option (if short (list short name) (list name)) #t #f
          (lambda (option _ value result)
            (alist-cons key value result))))

(define options
  (list (repeatable #\s "system" 'system)
        (repeatable #\m "manifest" 'manifest)
        (repeatable #f "channel" 'channel)))

(define (packages-of-channel name)
  "The packages that the channel called NAME defines."
  (define (defines? package)
    ;; Each package is said to come from `guix`, too.
    (match (map (compose symbol->string channel-name) (package-channels package))
      (("guix") (string=? name "guix"))
      (names (and (member name names) (not (string=? name "guix"))))))

  (match (filter defines? (all-packages))
    (() (leave (G_ "no package comes from a channel '~a'; those of this Guix are:~{ ~a~}~%")
               name (map channel-name (current-channels))))
    (packages packages)))

(define (packages-of-manifest file)
  "The packages of the manifest in FILE, with those that they propagate."
  (define manifest
    (load* file (make-user-module '((guix profiles) (gnu)))))

  (map manifest-entry-item (manifest-transitive-entries manifest)))

(define (output-paths store thing system)
  "The paths of all outputs of THING, which is a package as a rule, on SYSTEM."
  (define (refuse . _)
    (raise (formatted-message (G_ "a build would be needed to know it"))))

  (match (with-build-handler refuse
           (run-with-store store (lower-object thing system) #:system system))
    ;; What a server does not substitute would be owed in vain.
    ((? derivation? derivation)
     (if (substitutable-derivation? derivation)
         (map cdr (derivation->output-paths derivation))
         '()))
    ((? string? path) (list path))))

(define (print-paths store things system)
  "Prints the paths of THINGS.  One that has none is named, and passed over."
  (define printed (make-hash-table))

  (for-each (lambda (thing)
              (define paths
                (catch #t
                  (lambda ()
                    (output-paths store thing system))
                  (lambda (key . arguments)
                    (warning (G_ "~a is passed over (~a)~%")
                             (if (package? thing) (package-full-name thing "@") thing)
                             key)
                    '())))
              (for-each (lambda (path)
                          (unless (hash-ref printed path)
                            (hash-set! printed path #t)
                            (format #t "~a~%" path)))
                        paths))
            things))

(define (supported? thing system)
  (or (not (package? thing)) (supported-package? thing system)))

(let* ((given (args-fold (cdr (command-line)) options
                         (lambda (option name . _)
                           (leave (G_ "~a: unrecognized option~%") name))
                         (lambda (argument . _)
                           (leave (G_ "~a: extraneous argument~%") argument))
                         '()))
       (values-of (lambda (key)
                    (filter-map (match-lambda
                                  ((name . value) (and (eq? name key) value)))
                                (reverse given))))
       (things (append (append-map packages-of-manifest (values-of 'manifest))
                       (append-map packages-of-channel (values-of 'channel))))
       (things (if (or (assq 'manifest given) (assq 'channel given))
                   things
                   (all-packages)))
       (systems (match (values-of 'system)
                  (() (list (%current-system)))
                  (systems systems))))
  ;; A build farm builds without grafts; they are made on the user's machine.
  (parameterize ((%graft? #f))
    (for-each (lambda (system)
                (with-store store
                  (print-paths store
                               (filter (lambda (thing) (supported? thing system)) things)
                               system)))
              systems)))
