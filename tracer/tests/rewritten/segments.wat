;; WAYS: inline inline+alone
;; Instructions that run one after the other share a head, and the cursor moves on after each of them: the first two stores do.
;; Those in the branch, in the loop and after it each have their own head. Code that cannot be reached stays as it is. With
;; `alone`, nothing shares a head, so every event is complete before the next instruction of the module.

(module
  (memory 1)
  (func (param $p i32)
    (i32.store (local.get $p) (i32.const 1))
    (i32.store offset=4 (local.get $p) (i32.const 2))
    (if (local.get $p)
      (then
        (i32.store offset=8 (local.get $p) (i32.const 3))))
    (loop
      (i32.store offset=12 (local.get $p) (i32.const 4))
      (br_if 0 (local.tee $p (i32.sub (local.get $p) (i32.const 1)))))
    (i32.store offset=16 (local.get $p) (i32.const 5))
    (return)
    (i32.store offset=20 (local.get $p) (i32.const 6))))
