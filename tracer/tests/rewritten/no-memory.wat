;; WAYS: inline hooks
;; Without a memory there is nothing to record: the module gets exports only, and its code stays as it is.

(module
  (global (mut i64) (i64.const 0))
  (func (export "f") (result i32) (i32.const 1)))
