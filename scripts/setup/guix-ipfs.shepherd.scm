;; A timer of the Shepherd (1.0 or later), for Guix System: a service to put among
;; those of an operating-system, beside ipfs-service-type:
;;
;;   (services (cons* (load "/etc/guix-ipfs.shepherd.scm")
;;                    (service ipfs-service-type)
;;                    %base-services))
;;
;; `herd status guix-ipfs` shows the past runs, `herd trigger guix-ipfs` starts one. By hand:
;; sudo -Hu ipfs guix-ipfs add HASH

(use-modules (gnu services)
             (gnu services shepherd)
             (guix gexp))

;; The program, where an operating-system has it that names the package among its own:
;; (packages (cons (load "CHECKOUT/scripts/setup/guix-ipfs.scm") %base-packages)).
(define guix-ipfs "/run/current-system/profile/bin/guix-ipfs")

(simple-service
 'guix-ipfs-timer
 shepherd-root-service-type
 (list
  (shepherd-service
   (provision '(guix-ipfs))
   (requirement '(user-processes networking ipfs))
   (documentation "Mirror a Guix substitute server into IPFS every five minutes.")
   (modules '((shepherd service timer)))
   (start
    #~(make-timer-constructor
       (calendar-event #:minutes (iota 12 0 5))
       (command '(#$guix-ipfs "sync")
                ;; ipfs-service-type makes this user; its home holds the lock.
                #:user "ipfs"
                #:group "ipfs"
                #:environment-variables
                '("HOME=/var/lib/ipfs"
                  "GUIX_IPFS_API=/ip4/127.0.0.1/tcp/5001"))
       #:log-file "/var/log/guix-ipfs.log"
       #:wait-for-termination? #t))
   (stop #~(make-timer-destructor))
   (actions (list shepherd-trigger-action)))))
