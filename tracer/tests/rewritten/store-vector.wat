;; WAYS: inline inline+read-back hooks
;; A vector has 16 bytes in a record and two words in a call of the hook.

(module
  (memory 1)
  (func (param $p i32) (param $v v128)
    (v128.store (local.get $p) (local.get $v))))
