;; Each trap of garbage-collected objects, and an exception that nobody catches, under engines that have them.
;; RUN: compare % --invoke null-struct --invoke null-array --invoke outside --invoke fill --invoke cast --invoke call --invoke non-null --invoke i31 --invoke throw --rhs node,program={node-24.20.0}
;; JSON: /agree true
;; JSON: /rhs/outcome "trapped: uncaught exception"
;; RUN: compare % --invoke outside --invoke cast --invoke i31 --invoke throw --rhs capi:jit,lib={libwasmtime-48.0.0.so}
;; JSON: /agree true
(module
  (type $s (struct (field (mut i32)) (field i8)))
  (type $array (array (mut i16)))
  (rec (type $tree (sub (struct (field (ref null $tree))))))
  (type $f (func (result i32)))
  (tag $e (param i32))
  (global $kept (ref $array) (array.new_fixed $array 2 (i32.const 1) (i32.const 2)))
  (global (export "after") (mut i64) (i64.const 7))
  (memory (export "memory") 1)
  (func (export "null-struct") (result i32) (struct.get $s 0 (ref.null $s)))
  (func (export "null-array") (result i32) (array.get_u $array (ref.null $array) (i32.const 0)))
  (func (export "outside") (result i32)
    (i32.store (i32.const 0) (array.get_u $array (global.get $kept) (i32.const 1)))
    (array.get_s $array (global.get $kept) (i32.const 2)))
  (func (export "fill") (array.fill $array (array.new_default $array (i32.const 3)) (i32.const 2) (i32.const 7) (i32.const 5)))
  (func (export "cast") (result i32) (struct.get $s 0 (ref.cast (ref $s) (ref.i31 (i32.const 5)))))
  (func (export "call") (result i32) (call_ref $f (ref.null $f)))
  (func (export "non-null") (drop (ref.as_non_null (ref.null $tree))))
  (func (export "i31") (result i32) (i31.get_s (ref.null i31)))
  (func (export "throw") (throw $e (i32.const 9))))
