;; mark 1: Enter in function 0
;; mark 2: Argument(0, Some(I32)) in function 0
;; mark 3: Argument(1, Some(F64)) in function 0
;; mark 4: Argument(2, Some(V128)) in function 0
;; mark 5: Argument(3, None) in function 0
;; mark 6: Result(0, Some(I64)) in function 0
;; mark 7: Result(1, Some(F32)) in function 0
(module
  (type (;0;) (func (param i32 f64 v128 funcref) (result i64 f32)))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (type (;3;) (func (param i32 i64 i64)))
  (type (;4;) (func (result i64 f32)))
  (import "forkpoint" "flush" (func (;0;) (type 1)))
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func (;1;) (type 0) (param $i i32) (param $f f64) (param $v v128) (param $r funcref) (result i64 f32)
    (local i64 f32)
    i32.const 1
    i64.const 0
    i64.const 0
    call 3
    i32.const 2
    local.get $i
    i64.extend_i32_u
    i64.const 0
    call 3
    i32.const 3
    local.get $f
    i64.reinterpret_f64
    i64.const 0
    call 3
    i32.const 4
    local.get $v
    i64x2.extract_lane 0
    local.get $v
    i64x2.extract_lane 1
    call 3
    i32.const 5
    local.get $r
    ref.is_null
    i32.eqz
    i64.extend_i32_u
    i64.const 0
    call 3
    block (type 4) (result i64 f32) ;; label = @1
      local.get $i
      if ;; label = @2
        i64.const 1
        f32.const 0x1p+1 (;=2;)
        local.set 5
        local.set 4
        i32.const 6
        local.get 4
        i64.const 0
        call 3
        i32.const 7
        local.get 5
        i32.reinterpret_f32
        i64.extend_i32_u
        i64.const 0
        call 3
        local.get 4
        local.get 5
        return
      end
      i64.const 3
      f32.const 0x1p+2 (;=4;)
    end
    local.set 5
    local.set 4
    i32.const 6
    local.get 4
    i64.const 0
    call 3
    i32.const 7
    local.get 5
    i32.reinterpret_f32
    i64.extend_i32_u
    i64.const 0
    call 3
    local.get 4
    local.get 5
  )
  (func (;2;) (type 2) (param i32) (result i32)
    i32.const 0
    local.get 0
    i32.store 1
    local.get 0
    call 0
    i32.const 0
    i32.const 0
    i32.load 1 offset=12
    local.tee 0
    i32.store 1
    local.get 0
  )
  (func (;3;) (type 3) (param i32 i64 i64)
    (local i32)
    i32.const 0
    i32.load 1
    local.tee 3
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 3
      call 2
      local.set 3
    end
    local.get 3
    i32.const 4
    i32.store 1 offset=16 align=1
    local.get 3
    local.get 0
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 1
    i64.store 1 offset=24 align=1
    local.get 3
    local.get 2
    i64.store 1 offset=32 align=1
    i32.const 0
    local.get 3
    i32.const 24
    i32.add
    i32.store 1
  )
)
