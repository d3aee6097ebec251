// Files as read-only data: the bytes of each lie between NAME_begin and NAME_end; see builtin_text.h.
    .section .rodata

    .macro carry name, file
    .global \name\()_begin
    .global \name\()_end
    .type \name\()_begin, @object
    .type \name\()_end, @object
\name\()_begin:
    .incbin "\file"
\name\()_end:
    .byte 0
    .size \name\()_begin, \name\()_end - \name\()_begin
    .size \name\()_end, 1
    .endm

    carry assay_evaluation_text, ASSAY_EVALUATION_TEXT
    carry assay_calibration_c4, ASSAY_CALIBRATION_C4
    carry assay_calibration_code, ASSAY_CALIBRATION_CODE
    carry assay_calibration_wiki, ASSAY_CALIBRATION_WIKI

    .section .note.GNU-stack, "", @progbits
